# Refusals: nginx's own as JSON, the module's, and Kafka's by their status.

use KafkaTest;

run_tests();

__DATA__

=== TEST 1: no credentials
--- config
    location /produce {
        kafka_produce        main;
        auth_basic           Kafka;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
    }
--- user_files
>>> users
myuser:{PLAIN}mypass
--- request
GET /produce/$TOPIC/m
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="Kafka"
--- json_body
{"error": "*", "status": 401}
--- no_records: $TOPIC



=== TEST 2: wrong credentials
--- config
    location /produce {
        kafka_produce        main;
        auth_basic           Kafka;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
    }
--- user_files
>>> users
myuser:{PLAIN}mypass
--- request
POST /produce/$TOPIC
{"value":"v"}
--- more_headers
Authorization: Basic bXl1c2VyOndyb25n
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="Kafka"
--- json_body
{"error": "*", "status": 401}
--- no_records: $TOPIC



=== TEST 3: right credentials
--- config
    location /produce {
        kafka_produce        main;
        auth_basic           Kafka;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
    }
--- user_files
>>> users
myuser:{PLAIN}mypass
--- request
POST /produce/$TOPIC
{"value":"v"}
--- more_headers
Authorization: Basic bXl1c2VyOm15cGFzcw==
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "v"}



=== TEST 4: an address that is denied
--- config
    location /produce { kafka_produce main; deny all; }
--- request
GET /produce/$TOPIC/m
--- error_code: 403
--- json_body
{"error": "*", "status": 403}
--- error_log
access forbidden by rule
--- no_records: $TOPIC



=== TEST 5: a method that is denied
--- config
    location /produce { kafka_produce main; limit_except GET { deny all; } }
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 403
--- json_body
{"error": "*", "status": 403}
--- no_records: $TOPIC



=== TEST 6: a body that is too large
--- config
    location /produce { kafka_produce main; client_max_body_size 20; }
--- request
POST /produce/$TOPIC
{"value":"123456789012345678901234567890"}
--- error_code: 413
--- json_body
{"error": "*", "status": 413}
--- no_records: $TOPIC



=== TEST 7: a chunked body that grows too large
--- config
    location /produce { kafka_produce main; client_max_body_size 20; }
--- more_headers
Transfer-Encoding: chunked
--- request eval
"POST /produce/\$TOPIC
a\r\n{\"value\":\"\r\n14\r\n12345678901234567890\r\n2\r\n\"}\r\n0\r\n\r\n"
--- error_code: 413
--- json_body
{"error": "*", "status": 413}
--- no_records: $TOPIC



=== TEST 8: too many requests
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    limit_req_zone $server_port zone=z:64k rate=1r/m;
    limit_req_status 429;
--- config
    location /produce { kafka_produce main; limit_req zone=z; }
--- request eval
["GET /produce/\$TOPIC/a", "GET /produce/\$TOPIC/b"]
--- error_code eval
[200, 429]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"error": "*", "status": 429}']
--- records
{"topic": "$TOPIC", "value": "a"}



=== TEST 9: too many requests, with nginx's default status
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    limit_req_zone $server_port zone=z:64k rate=1r/m;
--- config
    location /produce { kafka_produce main; limit_req zone=z; }
--- request eval
["GET /produce/\$TOPIC/a", "POST /produce/\$TOPIC\n{\"value\":\"b\"}"]
--- error_code eval
[200, 503]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"error": "*", "status": 503}']
--- records
{"topic": "$TOPIC", "value": "a"}



=== TEST 10: a status from the configuration
--- config
    location /produce { kafka_produce main; return 404; }
--- request
GET /produce/$TOPIC/m
--- error_code: 404
--- json_body
{"error": "*", "status": 404}
--- no_records: $TOPIC



=== TEST 11: a 5xx from the configuration
--- config
    location /produce { kafka_produce main; return 502; }
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 502
--- json_body
{"error": "*", "status": 502}
--- no_records: $TOPIC



=== TEST 12: a text from the configuration stays
--- config
    location /produce { kafka_produce main; return 403 "go away\n"; }
--- request
GET /produce/$TOPIC/m
--- error_code: 403
--- response_body
go away
--- response_headers
Content-Type: text/plain
--- no_records: $TOPIC



=== TEST 13: a redirection stays
--- config
    location /produce { kafka_produce main; return 302 /elsewhere; }
--- request
GET /produce/$TOPIC/m
--- error_code: 302
--- response_headers_like
Location: .*/elsewhere
--- no_records: $TOPIC



=== TEST 14: the user's own error page
--- config
    location /produce { kafka_produce main; deny all; error_page 403 /mine; }
    location = /mine { internal; return 403 "mine\n"; }
--- request
GET /produce/$TOPIC/m
--- error_code: 403
--- response_body
mine
--- no_records: $TOPIC



=== TEST 15: the user's own error page, of the server
--- config
    error_page 401 = @mine;
    location /produce {
        kafka_produce        main;
        auth_basic           Kafka;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
    }
    location @mine { return 401 "mine\n"; }
--- user_files
>>> users
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 401
--- response_body
mine
--- no_records: $TOPIC



=== TEST 16: a content coding
--- request
POST /produce/$TOPIC
{"value":"v"}
--- more_headers
Content-Encoding: gzip
--- error_code: 415
--- json_body
{"error": "*", "status": 415}
--- no_records: $TOPIC



=== TEST 17: the identity coding
--- request
POST /produce/$TOPIC
{"value":"v"}
--- more_headers
Content-Encoding: identity
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]



=== TEST 18: other locations keep nginx's error pages
--- config
    location /produce { kafka_produce main; }
    location /other { return 404; }
--- request
GET /other
--- error_code: 404
--- response_headers
Content-Type: text/html
--- response_body_like: <html>



=== TEST 19: a topic that does not exist
--- mock
error $TOPIC-no UNKNOWN_TOPIC_OR_PART
--- cases eval
[
    [['GET', '/produce/$TOPIC-no/m'], 404, qr/topic/],
    [['POST', '/produce/$TOPIC-no', '{"value":"v"}'], 404, qr/topic/],
    [['POST', '/produce', '[{"topic":"$TOPIC","value":"v"},
        {"topic":"$TOPIC-no","value":"v"}]'], 404, qr/topic/],
]
--- no_records: $TOPIC $TOPIC-no
--- timeout: 10



=== TEST 20: a topic that the ACL refuses
Kafka tells no partitions of it; some librdkafkas crash where there are any.
--- mock
topic $TOPIC-acl 0
error $TOPIC-acl TOPIC_AUTHORIZATION_FAILED
--- cases eval
[
    [['GET', '/produce/$TOPIC-acl/m'], 403],
    [['POST', '/produce/$TOPIC-acl', '{"value":"v"}'], 403],
    [['POST', '/produce', '[{"topic":"$TOPIC","value":"v"},
        {"topic":"$TOPIC-acl","value":"v"}]'], 403],
]
--- no_records: $TOPIC



=== TEST 21: the first bad topic decides
--- mock
topic $TOPIC-acl 0
error $TOPIC-acl TOPIC_AUTHORIZATION_FAILED
error $TOPIC-no UNKNOWN_TOPIC_OR_PART
--- cases eval
[
    [['POST', '/produce', '[{"topic":"$TOPIC-acl","value":"v"},
        {"topic":"$TOPIC-no","value":"v"}]'], 403],
    [['POST', '/produce', '[{"topic":"$TOPIC-no","value":"v"},
        {"topic":"$TOPIC-acl","value":"v"}]'], 404],
]



=== TEST 22: the broker finds a record too large
--- mock
fail 0 MSG_SIZE_TOO_LARGE 20
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 413
--- json_body
{"error": "*", "status": 413, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "MSG_SIZE_TOO_LARGE", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 23: the broker finds a record invalid
--- mock
fail 0 INVALID_RECORD 20
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 400
--- json_body
{"error": "*", "status": 400, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "INVALID_RECORD", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 24: the broker refuses a timestamp, the path's form
--- mock
fail 0 INVALID_TIMESTAMP 20
--- request
GET /produce/$TOPIC/m
--- error_code: 400
--- json_body
{"error": "*", "status": 400, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "INVALID_TIMESTAMP", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 25: one refusal may be another message's fault: each is tried alone
--- producer
        linger.ms 100;                 # one batch of both
--- mock
fail 0 INVALID_RECORD 1
--- request
POST /produce/$TOPIC
[{"value":"a"},{"value":"b"}]
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"},
 {"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}



=== TEST 26: the record at fault fails alone
--- producer
        linger.ms 100;                 # one batch of both
--- mock
fail 0 INVALID_RECORD 2
--- request
POST /produce/$TOPIC
[{"value":"a"},{"value":"b"}]
--- error_code: 400
--- json_body
{"error": "*", "status": 400, "results": [
 {"topic": "$TOPIC", "error": "*", "code": "INVALID_RECORD",
  "retriable": false, "persisted": "no"},
 {"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]}
--- records
{"topic": "$TOPIC", "value": "b"}



=== TEST 27: the broker's ACL refuses to produce
--- mock
fail 0 TOPIC_AUTHORIZATION_FAILED 20
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 403
--- json_body
{"error": "*", "status": 403, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "TOPIC_AUTHORIZATION_FAILED", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 28: any other error
--- mock
fail 0 INVALID_REQUIRED_ACKS 20
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 500
--- json_body
{"error": "*", "status": 500, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "INVALID_REQUIRED_ACKS", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 29: a lost connection is made good
--- mock
fail 0 _TRANSPORT 1
--- request
POST /produce/$TOPIC
[{"value":"a"},{"value":"b"}]
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"},
 {"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}



=== TEST 30: not enough replicas in time
librdkafka does not say whether another attempt had another end
--- producer
message.timeout.ms 1000;
--- mock
fail 0 NOT_ENOUGH_REPLICAS 1000
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 504
--- json_body
{"error": "*", "status": 504, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "_MSG_TIMED_OUT", "retriable": true, "persisted": "maybe"}]}
--- no_records: $TOPIC



=== TEST 31: no broker
--- producer
message.timeout.ms 1000;
--- mock
down -1
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 503
--- raw_response_headers_like chop
\r\nRetry-After: \d+\r\n
--- response_body_like chop
^\{"error":".+","status":503\b
--- no_records: $TOPIC



=== TEST 32: some messages fail
--- producer
message.timeout.ms 1000;
--- mock
topic $TOPIC-p 2
leader $TOPIC-p 1 -1
--- request
POST /produce/$TOPIC-p
[{"partition":0,"value":"a"},{"partition":1,"value":"b"},{"partition":0,"value":"c"}]
--- error_code: 503
--- json_body
{"error": "*", "status": 503, "results": [
 {"topic": "$TOPIC-p", "partition": 0, "offset": 0, "timestamp": 1234},
 {"topic": "$TOPIC-p", "error": "*", "code": "_MSG_TIMED_OUT",
  "retriable": true, "persisted": "no"},
 {"topic": "$TOPIC-p", "partition": 0, "offset": 1, "timestamp": 1234}]}
--- records
{"topic": "$TOPIC-p", "value": "a"}
{"topic": "$TOPIC-p", "value": "c"}



=== TEST 33: a message over the producer's limit
--- producer
message.max.bytes 2000;
--- request eval
"POST /produce/\$TOPIC\n[{\"value\":\"a\"},{\"value\":\"" . 'b' x 3000 . '"}]'
--- error_code: 413
--- response_body_like chop
^\{"error":".+","status":413\b



=== TEST 34: the user's own error page for what the module refuses
--- config
    location /produce { kafka_produce main; error_page 400 /mine; }
    location = /mine { internal; return 400 "mine\n"; }
--- request
POST /produce/$TOPIC
{"value":1}
--- error_code: 400
--- response_body
mine
--- no_records: $TOPIC



=== TEST 35: another location's error leads into a produce location
--- config
    location /produce { kafka_produce main; }
    location /lost { return 404; error_page 404 = /produce/$arg_t/lost; }
--- request
GET /lost?t=$TOPIC
--- response_body_like: "offset":0
--- records
{"topic": "$TOPIC", "value": "lost"}



=== TEST 36: a produce location's error leads into a message
--- config
    location /produce { kafka_produce main; error_page 415 = /produce/$arg_t/e; }
--- request
POST /produce/$TOPIC?t=$TOPIC
{"value":"v"}
--- more_headers
Content-Encoding: gzip
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "e"}



=== TEST 37: a subrequest
--- config
    location /produce { kafka_produce main; }
    location /asking { auth_request /produce/$TOPIC/asked; try_files /index.html =404; }
--- request
GET /asking
--- response_body_like: It works
--- records
{"topic": "$TOPIC", "value": "asked"}



=== TEST 38: a subrequest of a request with a body
--- config
    location /produce { kafka_produce main; }
    location /asking { auth_request /produce/$TOPIC/asked; proxy_pass http://127.0.0.1:$server_port/produce/$TOPIC; }
--- request
POST /asking
{"value":"v"}
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "asked"}
{"topic": "$TOPIC", "value": "v"}



=== TEST 39: a subrequest that fails is logged, for its answer may be seen by nobody
--- config
    location /produce { kafka_produce main; }
    location /asking { auth_request /produce/not!a!topic/m; try_files /index.html =404; }
--- request
GET /asking
--- error_code: 500
--- error_log eval
qr/\[error\].* kafka: a subrequest ended with 400: .*topic/



=== TEST 40: a produce location's error leads into another
--- config
    location /produce { kafka_produce main; error_page 400 /produce/not!a!topic; }
--- request
POST /produce/$TOPIC
{"value":1}
--- error_code: 400
--- json_body
{"error": "~topic", "status": 400}
--- no_records: $TOPIC



=== TEST 41: HTTP/2
--- http2
--- request
POST /produce/$TOPIC
{"value":1}
--- error_code: 400
--- response_body_like chop
^\{"error":"message 0: .*value.*","status":400\}\s*$
--- no_records: $TOPIC



=== TEST 42: a request larger than the producer's queue
--- producer
queue.buffering.max.messages 2;
--- request
POST /produce/$TOPIC
[{"value":"a"},{"value":"b"},{"value":"c"},{"value":"d"},{"value":"e"}]
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"},
 {"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"},
 {"topic": "$TOPIC", "partition": 0, "offset": 2, "timestamp": "*"},
 {"topic": "$TOPIC", "partition": 0, "offset": 3, "timestamp": "*"},
 {"topic": "$TOPIC", "partition": 0, "offset": 4, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}
{"topic": "$TOPIC", "value": "d"}
{"topic": "$TOPIC", "value": "e"}



=== TEST 43: the producer's queue stays full
--- producer
queue.buffering.max.messages 2;
message.timeout.ms 1000;
--- mock
topic $TOPIC-p 2
leader $TOPIC-p 0 -1
leader $TOPIC-p 1 -1
--- request
POST /produce/$TOPIC-p
[{"value":"a"},{"value":"b"},{"value":"c"}]
--- error_code: 503
--- raw_response_headers_like chop
\r\nRetry-After: \d+\r\n
--- response_body_like chop
^\{"error":".+","status":503\b
--- no_records: $TOPIC-p



=== TEST 44: conditions of the request do not hide what was produced
--- pipelined_requests eval
["GET /produce/\$TOPIC/a", "GET /produce/\$TOPIC/b", "GET /produce/\$TOPIC/c"]
--- more_headers eval
["If-Match: \"x\"", "If-None-Match: *",
 "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}',
 '{"topic": "$TOPIC", "partition": 0, "offset": 2, "timestamp": "*"}']
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}



=== TEST 45: the size that librdkafka would refuse is refused before it
--- request eval
"POST /produce/\$TOPIC\n" . '[{"value":"a"},{"value":"'
. 'x' x 999_965 . '"}]'
--- error_code: 413
--- response_body_like chop
^\{"error":"message 1: .+","status":413\}$
--- no_records: $TOPIC



=== TEST 46: and one byte less is not
--- request eval
"POST /produce/\$TOPIC\n" . '[{"value":"' . 'x' x 999_964 . '"}]'
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]



=== TEST 47: a body that is larger than all the room there is
--- http_config
    kafka_max_memory 64k;
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
--- request eval
"POST /produce/\$TOPIC\n" . '{"value":"' . 'x' x 70_000 . '"}'
--- error_code: 413
--- response_body_like chop
^\{"error":"this request needs more memory .+","status":413\}$
--- error_log
"kafka_max_memory" is 65536
--- no_records: $TOPIC



=== TEST 48: tiny messages that need more room than their bytes
--- http_config
    kafka_max_memory 64k;
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
--- request eval
"POST /produce/\$TOPIC\n[" . '{"value":""},' x 1000 . "]"
--- error_code: 413
--- response_body_like chop
^\{"error":"this request needs more memory .+","status":413\}$
--- no_records: $TOPIC



=== TEST 49: the room is given back
--- http_config
    kafka_max_memory 160k;
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
--- pipelined_requests eval
[map { "POST /produce/\$TOPIC\n{\"value\":\"" . 'x' x 40_000 . '"}' } 1 .. 3]
--- json_body eval
[map { '[{"topic": "$TOPIC", "partition": 0, "offset": ' . $_
       . ', "timestamp": "*"}]' } 0 .. 2]



=== TEST 47: no content coding, in many words
--- raw_request eval
my @codings = ("", "identity", "Identity,IDENTITY", "identity\r\nContent-Encoding: identity",
               "\r\ncontent-encoding:", ", identity\t ,,\tidentity ,",
               "identity\r\nContent-Encoding: ,\r\nContent-Encoding: , identity");
[map { my $last = $_ == $#codings ? "Connection: close\r\n" : "";
       "POST /produce/\$TOPIC HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: $codings[$_]\r\n"
       . "Content-Length: 13\r\n$last\r\n{\"value\":\"v\"}" } 0 .. $#codings]
--- ignore_response
--- records
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": "v"}



=== TEST 48: a content coding among others
--- request eval
[("POST /produce/\$TOPIC\n{\"value\":\"v\"}") x 6]
--- more_headers eval
["Content-Encoding: identity, gzip", "Content-Encoding: identity\nContent-Encoding: gzip",
 "Content-Encoding: gzip\nContent-Encoding: identity", "Content-Encoding: ,br", "Content-Encoding: identityx",
 "Content-Encoding: identity identity"]
--- error_code eval
[415, 415, 415, 415, 415, 415]
--- response_headers eval
[("Accept-Encoding: identity") x 6]
--- no_records: $TOPIC
