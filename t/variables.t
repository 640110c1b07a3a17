# Variables: in an answer's headers, in maps, and in phases before the content.

use KafkaTest;

# what they are when the answer's header is sent

our $headers = join "\n", map { "add_header X-\u$_ \$kafka_$_ always;" }
    qw(topic messages bytes partition offset error);

add_block_preprocessor(sub {
    my ($block) = @_;

    my $config = $block->config // '    location /produce { kafka_produce main;'
                                   . ' $HEADERS }';
    $config =~ s/\$HEADERS/$headers/g;
    $block->set_value('config', $config);
});

run_tests();

__DATA__

=== TEST 1: a single message in the path
--- request
GET /produce/$TOPIC/hello?key=key
--- response_headers
X-Topic: variables-1
X-Messages: 1
X-Bytes: 8
X-Partition: 0
X-Offset: 0
! X-Error



=== TEST 2: a single message in a body that names its topic
--- request
POST /produce
{"topic":"variables-2","value":"12"}
--- response_headers
X-Topic: variables-2
X-Messages: 1
X-Bytes: 2
X-Partition: 0
X-Offset: 0
! X-Error



=== TEST 3: several messages
--- request
POST /produce/$TOPIC
[{"value":"12"},{"key":"3","value":"4"}]
--- response_headers
X-Topic: variables-3
X-Messages: 2
X-Bytes: 4
! X-Partition
! X-Offset
! X-Error



=== TEST 4: several messages that name the same topic
--- request
POST /produce
[{"topic":"variables-4","value":"1"},{"topic":"variables-4","value":"2"}]
--- response_headers
X-Topic: variables-4
X-Messages: 2
X-Bytes: 2
! X-Partition



=== TEST 5: several messages that do not
--- mock
topic variables-other 1
--- request
POST /produce
[{"topic":"variables-5","value":"1"},{"topic":"variables-other","value":"2"}]
--- response_headers
! X-Topic
X-Messages: 2
X-Bytes: 2
! X-Partition



=== TEST 6: no message
--- request
POST /produce/$TOPIC
[]
--- response_headers
X-Topic: variables-6
X-Messages: 0
X-Bytes: 0
! X-Partition
! X-Offset
! X-Error



=== TEST 7: a body that is wrong
--- request
POST /produce/$TOPIC
[{"value":"12"},{"value":3}]
--- error_code: 400
--- response_headers
X-Topic: variables-7
X-Messages: 1
X-Bytes: 2
! X-Partition
X-Error: message 1: field "value" must be a string



=== TEST 8: a topic that is not there
--- mock
error variables-gone UNKNOWN_TOPIC_OR_PART
--- request
GET /produce/variables-gone/m
--- error_code: 404
--- response_headers
X-Topic: variables-gone
X-Messages: 1
! X-Partition
X-Error: message 0: topic "variables-gone" does not exist



=== TEST 9: a message that Kafka refuses
--- mock
fail 0 TOPIC_AUTHORIZATION_FAILED 1
--- request
GET /produce/$TOPIC/m
--- error_code: 403
--- response_headers
X-Topic: variables-9
X-Messages: 1
! X-Partition
! X-Offset
X-Error: message 0: Broker: Topic authorization failed; 1 of 1 messages were not acknowledged; the brokers' access rules do not allow this server to write; it is not in Kafka



=== TEST 10: what nginx refuses
--- config
    location /produce { kafka_produce main; deny all; $HEADERS }
--- request
GET /produce/$TOPIC/m
--- error_code: 403
--- response_headers
X-Topic: variables-10
! X-Messages
! X-Bytes
X-Error: access is forbidden
--- error_log
access forbidden by rule



=== TEST 11: a topic that is none
--- request
GET /produce/a%20b/m
--- error_code: 400
--- response_headers
! X-Topic
--- response_headers_like
X-Error: the topic in the path must be .*



=== TEST 12: another location
--- config
    location /other { return 204; $HEADERS }
--- request
GET /other/topic/m
--- error_code: 204
--- response_headers
! X-Topic
! X-Messages
! X-Bytes
! X-Partition
! X-Offset
! X-Error



=== TEST 13: the topic in a map, before the content
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    map $kafka_topic $kafka_closed {
        default 0;
        "~^variables-closed" 1;
    }
--- config
    location /produce {
        if ($kafka_closed) { return 403; }
        kafka_produce main;
    }
--- mock
topic variables-closed 1
--- request eval
["GET /produce/variables-13/m", "GET /produce/variables-closed/m",
 "GET /produce/variables-%63losed/m", "GET /produce/variables-13/variables-closed"]
--- error_code eval
[200, 403, 403, 200]
--- no_records: variables-closed



=== TEST 14: the topic as the key of limit_req
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    limit_req_zone $kafka_topic zone=topics:1m rate=1r/m;
--- config
    location /produce {
        limit_req zone=topics;
        limit_req_status 429;
        kafka_produce main;
    }
--- mock
topic variables-second 1
--- request eval
["GET /produce/variables-14/m", "GET /produce/variables-14/m",
 "GET /produce/variables-second/m"]
--- error_code eval
[200, 429, 200]



=== TEST 15: it is not cached: a rewrite changes it
--- config
    location /produce {
        set $before $kafka_topic;
        rewrite ^/produce/old/(.*) /produce/variables-15/$1 break;
        add_header X-Before $before;
        add_header X-After $kafka_topic;
        kafka_produce main;
    }
--- request
GET /produce/old/m
--- response_headers
X-Before: old
X-After: variables-15
--- records
{"topic": "variables-15", "value": "m"}



=== TEST 16: times, and a header that shows them in a browser
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }

    map $kafka_parse_time $kafka_parse_ms {
        "~^0\.0*(?<ms>\d+)$"  $ms;
        "~^(?<s>\d+)\.(?<ms>\d+)$"  $s$ms;
    }
    map $kafka_ack_time $kafka_ack_ms {
        "~^0\.0*(?<ms>\d+)$"  $ms;
        "~^(?<s>\d+)\.(?<ms>\d+)$"  $s$ms;
    }
    map "$kafka_parse_ms:$kafka_ack_ms" $kafka_timing {
        "~^(?<parse>\d+):(?<ack>\d+)$"  "parse;dur=$parse, kafka;dur=$ack";
    }
--- config
    location /produce {
        kafka_produce main;
        add_header Server-Timing $kafka_timing always;
        add_header X-Times "$kafka_parse_time $kafka_ack_time" always;
    }
--- mock
rtt 1 60
--- request eval
["GET /produce/variables-16/m", "GET /produce/variables-16/m",
 "GET /produce/a%20b/m"]
--- error_code eval
[200, 200, 400]
--- raw_response_headers_like eval
['Server-Timing: parse;dur=\d, kafka;dur=[1-9]\d+\r\n'
 . 'X-Times: 0\.00\d 0\.[1-9]\d\d\r\n',
 'Server-Timing: parse;dur=\d, kafka;dur=(?:[6-9]\d|1\d\d)\r\n'
 . 'X-Times: 0\.00\d 0\.(?:0[6-9]|1\d)\d\r\n',
 '\A(?!.*Server-Timing)']



=== TEST 17: times of a second and more
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }

    map $kafka_ack_time $kafka_ack_ms {
        "~^0\.0*(?<ms>\d+)$"  $ms;
        "~^(?<s>\d+)\.(?<ms>\d+)$"  $s$ms;
    }
--- config
    location /produce {
        kafka_produce main;
        add_header X-Ms $kafka_ack_ms;
    }
--- mock
rtt 1 400
--- request
GET /produce/$TOPIC/m
--- response_headers_like
X-Ms: [1-9]\d\d\d



=== TEST 18: a redirect that leads elsewhere
--- config
    location /produce { kafka_produce main; error_page 400 /sorry; }
    location /sorry {
        add_header X-Topic $kafka_topic always;
        add_header X-Error $kafka_error always;
        add_header X-Messages $kafka_messages always;
        return 418 "";
    }
--- request
POST /produce/$TOPIC
[{"value":"1"},{}]
--- error_code: 418
--- response_headers
X-Topic: variables-18
X-Messages: 1
X-Error: message 1: field "value" is missing



=== TEST 19: one that leads from a produce location to another
--- config
    location /produce { kafka_produce main; error_page 400 = /second/variables-19/m; }
    location /second {
        kafka_produce main;
        add_header X-Topic $kafka_topic always;
        add_header X-Error $kafka_error always;
        add_header X-Offset $kafka_offset always;
    }
--- request
GET /produce/a%20b/x
--- response_headers
X-Topic: variables-19
X-Offset: 0
! X-Error
--- records
{"topic": "variables-19", "value": "m"}
