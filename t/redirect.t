# error_page that leads from a produce location to another: the status line is
# that of what the last one did, and so is the "status" in the body.  Producers
# linger so that the messages of a request are in one batch.

use KafkaTest;

our $http = <<'END';
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; linger.ms 50; }
    kafka_producer spare { bootstrap.servers $TEST_NGINX_KAFKA; linger.ms 50; }
    kafka_producer gone {
        bootstrap.servers   127.0.0.1:1;
        message.timeout.ms  500;
    }
END

run_tests();

__DATA__

=== TEST 1: the other cluster has the message
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 /spare$uri; }
    location /spare/produce { kafka_produce spare; }
--- request
GET /produce/$TOPIC/m
--- raw_response_headers_unlike: Retry-After
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "m"}



=== TEST 2: with "="
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 = /spare$uri; }
    location /spare/produce { kafka_produce spare; }
--- request
GET /produce/$TOPIC/m
--- raw_response_headers_unlike: Retry-After
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "m"}



=== TEST 3: with a status that is neither's
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 =404 /spare$uri; }
    location /spare/produce { kafka_produce spare; }
--- request
GET /produce/$TOPIC/m
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "m"}



=== TEST 4: by way of a named location
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- request
GET /produce/$TOPIC/m
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "m"}



=== TEST 5: key and message are the same
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { internal; kafka_produce spare; }
--- request
GET /produce/$TOPIC/a%3Fb%2525%20%2F%0A?key=k%3F+
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "key": "k? ", "value": "a?b%25 /\n"}



=== TEST 6: what nginx refused in the first location
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; deny all; error_page 403 /spare$uri; }
    location /spare/produce { kafka_produce spare; }
--- request
GET /produce/$TOPIC/m
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "m"}



=== TEST 7: an array without a message
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; deny all; error_page 403 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- request
POST /produce/$TOPIC
[]
--- json_body
[]



=== TEST 8: both refuse
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 /spare/produce/$TOPIC-no/m; }
    location /bare { kafka_produce gone; error_page 503 = /spare/produce/$TOPIC-no/m; }
    location /ok { kafka_produce gone; error_page 503 =200 /spare/produce/$TOPIC-no/m; }
    location /spare/produce { kafka_produce spare; }
--- mock
error $TOPIC-no UNKNOWN_TOPIC_OR_PART
--- cases eval
[
    [['GET', '/produce/$TOPIC/m'], 404, qr/topic/],
    [['GET', '/bare/$TOPIC/m'], 404, qr/topic/],
    [['GET', '/ok/$TOPIC/m'], 404, qr/topic/],
]
--- no_records: $TOPIC



=== TEST 9: nginx refuses in the second location
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 /spare$uri; }
    location /ok { kafka_produce gone; error_page 503 =200 /spare$uri; }
    location /spare { kafka_produce spare; deny all; }
--- cases eval
[
    [['GET', '/produce/$TOPIC/m'], 403, qr/forbidden/],
    [['GET', '/ok/$TOPIC/m'], 403, qr/forbidden/],
]
--- no_records: $TOPIC



=== TEST 10: both are away: one Retry-After
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 =200 /spare$uri; }
    location /spare/produce { kafka_produce gone; }
--- request
GET /produce/$TOPIC/m
--- error_code: 503
--- raw_response_headers_unlike: Retry-After.*Retry-After
--- raw_response_headers_like chop
\r\nRetry-After: 1\r\n
--- response_body_like chop
^\{"error":".+","status":503\}$
--- no_records: $TOPIC



=== TEST 11: the second location's messages fail
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; deny all; error_page 403 =200 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
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



=== TEST 12: results stay: the second location would send the rest once more
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; error_page 400 = @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
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



=== TEST 13: results stay, the path's form
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; error_page 413 /spare$uri; }
    location /spare/produce { kafka_produce spare; }
--- mock
fail 0 MSG_SIZE_TOO_LARGE 2
--- request
GET /produce/$TOPIC/m
--- error_code: 413
--- json_body
{"error": "*", "status": 413, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "MSG_SIZE_TOO_LARGE", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 14: results stay, over the user's own page
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; error_page 413 /mine; }
    location = /mine { internal; return 413 "mine\n"; }
--- mock
fail 0 MSG_SIZE_TOO_LARGE 2
--- request
POST /produce/$TOPIC
{"value":"v"}
--- error_code: 413
--- json_body
{"error": "*", "status": 413, "results": [{"topic": "$TOPIC", "error": "*",
 "code": "MSG_SIZE_TOO_LARGE", "retriable": false, "persisted": "no"}]}
--- no_records: $TOPIC



=== TEST 15: a body comes along
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { internal; kafka_produce spare; }
--- request
POST /produce/$TOPIC
{"value":"v"}
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "v"}



=== TEST 16: a body that comes later comes along
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 =200 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- raw_request eval
["POST /produce/\$TOPIC HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Content-Length: 13\r\n\r\n", '{"value"', ':"v"}']
--- raw_request_middle_delay: 0.1
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]
--- records
{"topic": "$TOPIC", "value": "v"}



=== TEST 17: a body that is too large to be kept does not: the first answer stays
--- http_config eval: $::http
--- config
    location /produce {
        kafka_produce            gone;
        client_body_buffer_size  1k;
        error_page               503 =200 @spare;
    }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- request eval
"POST /produce/\$TOPIC\n{\"value\":\"" . 'v' x 9000 . '"}'
--- error_code: 503
--- json_body
{"error": "~nothing was sent", "status": 503}
--- no_records: $TOPIC



=== TEST 18: nor does one of which the rest is yet to come
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; error_page 400 = @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- raw_request eval
["POST /produce/\$TOPIC HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
 "{}", "}"]
--- raw_request_middle_delay: 0.1
--- error_code: 400
--- response_headers
Connection: close
--- json_body
{"error": "~message 0", "status": 400}
--- no_records: $TOPIC



=== TEST 19: nor does a chunked body that comes later
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 =200 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- raw_request eval
["POST /produce/\$TOPIC HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n",
 "d\r\n{\"value\":\"v\"}\r\n0\r\n\r\n"]
--- raw_request_middle_delay: 1
--- error_code: 503
--- json_body
{"error": "~nothing was sent", "status": 503}
--- no_records: $TOPIC



=== TEST 20: another location's error leads to a produce location
--- http_config eval: $::http
--- config
    location /lost { return 404; error_page 404 /produce/$TOPIC/lost; }
    location /produce { kafka_produce main; }
--- request
GET /lost
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "lost"}



=== TEST 21: the methods and codings of the first location are not the second's
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; error_page 405 415 = /spare/produce/$TOPIC/e; }
    location /spare/produce { kafka_produce spare; }
--- request eval
["PUT /produce/\$TOPIC\nv", "POST /produce/\$TOPIC\n{\"value\":\"v\"}"]
--- more_headers
Content-Encoding: gzip
--- raw_response_headers_unlike eval
["Allow:|Accept-Encoding:", "Allow:|Accept-Encoding:"]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}']
--- records
{"topic": "$TOPIC", "value": "e"}
{"topic": "$TOPIC", "value": "e"}



=== TEST 22: health's line is that of its word
--- http_config eval: $::http
--- config
    location /lost { return 404; error_page 404 /health; }
    location /health { kafka_health gone; }
--- request
GET /lost
--- error_code: 503
--- response_body_like: ^\{"status":"down","producer":"gone",



=== TEST 23: HTTP/2, a body comes along
--- http2
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 @spare; }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { internal; kafka_produce spare; }
--- request
POST /produce/$TOPIC
{"value":"v"}
--- response_body_like: ^\[.*"offset":0.*\]
--- records
{"topic": "$TOPIC", "value": "v"}



=== TEST 24: HTTP/2, the other cluster has the message
--- http2
--- http_config eval: $::http
--- config
    location /produce { kafka_produce gone; error_page 503 /spare$uri; }
    location /spare/produce { kafka_produce spare; }
--- request
GET /produce/$TOPIC/m
--- response_body_like: "offset":0
--- records
{"topic": "$TOPIC", "value": "m"}



=== TEST 25: an error_page that leads nowhere
--- http_config eval: $::http
--- config
    location /produce { kafka_produce main; error_page 404 405 @absent; }
--- request
POST /produce/$TOPIC/m
{"value":"v"}
--- error_code: 500
--- json_body
{"error": "the request failed", "status": 500}
--- no_records: $TOPIC



=== TEST 26: what nginx refuses of a body goes nowhere with the half of it
--- http_config eval: $::http
--- config
    location /produce {
        client_max_body_size 1k;
        kafka_produce main;
        error_page 400 413 @spare;
    }
    location @spare { rewrite ^ /spare$uri last; }
    location /spare/produce { kafka_produce spare; }
--- raw_request eval
["POST /produce/\$TOPIC HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n",
 "d\r\n[{\"value\":\"v\"\r\n", "600\r\n" . "}" x 0x600 . "\r\n0\r\n\r\n"]
--- raw_request_middle_delay: 0.3
--- error_code: 413
--- json_body
{"error": "the request body is larger than this server takes", "status": 413}
--- no_records: $TOPIC



=== TEST 27: nor does the half of what nginx refuses in another location
--- http_config eval: $::http
--- config
    location /upload {
        client_max_body_size 1k;
        proxy_pass http://127.0.0.1:$server_port/elsewhere;
        error_page 413 = @spare;
    }
    location @spare { rewrite ^ /spare/produce/$TOPIC last; }
    location /spare/produce { kafka_produce spare; }
--- raw_request eval
["POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n",
 "d\r\n{\"value\":\"v\"}\r\n", "600\r\n" . "}" x 0x600 . "\r\n0\r\n\r\n"]
--- raw_request_middle_delay: 0.3
--- error_code: 500
--- response_body_like chop
^\{"error":"the request body was read only in part .+","status":500\}$
--- no_records: $TOPIC
