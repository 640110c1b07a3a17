# kafka_status and kafka_health: what they show, and how they are configured.

use KafkaTest;

our $zero = '"requests_waiting": 0, "messages_unsent": 0,'
            . '"messages_pending": 0';
our $worker = qq({"pid": "*", "memory": "*", $zero});

# the sums of one worker that serves one producer without statistics

sub status($%) {
    my ($name, %of) = @_;

    my %all = (acknowledged => 0, bytes => 0, failed => '{}', topics => '{}',
               brokers => '[]', requests => '{}', rebuilt => 0, %of);

    return qq({"version": "~^\\\\d+\\\\.\\\\d+\\\\.\\\\d+\$",
        "memory_limit": 268435456, "workers": [$worker],
        "producers": {"$name": {"workers": 1, $zero, "clients": "*",
            "clients_rebuilt": $all{rebuilt},
            "requests": $all{requests},
            "messages_acknowledged": $all{acknowledged},
            "bytes_acknowledged": $all{bytes},
            "messages_failed": $all{failed}, "topics": $all{topics},
            "acknowledgement_seconds":
                {"buckets": "*", "sum": "*", "count": $all{acknowledged}},
            "brokers": $all{brokers}}}});
}

run_tests();

__DATA__

=== TEST 1: nothing has happened
--- config
    location = /status { kafka_status; }
--- request
GET /status
--- json_body eval
main::status('main')
--- response_headers
Cache-Control: no-store



=== TEST 2: messages, keys, values, topics
--- config
    location /produce { kafka_produce main; }
    location = /status { kafka_status json; }
--- mock
topic status-more 2
--- request eval
["GET /produce/status-2/1234567?key=abc",
 "POST /produce
" . '[{"topic":"status-2","value":"12"},{"topic":"status-more","value":"3"}]',
 "POST /produce/status-2
" . '[]',
 "GET /status"]
--- error_code eval
[200, 200, 200, 200]
--- json_body eval
['{"topic": "status-2", "partition": 0, "offset": 0, "timestamp": "*"}',
 '["*", "*"]', '[]',
 main::status('main', requests => '{"200": 3}', acknowledged => 3, bytes => 13,
              topics => '{"status-2": {"acknowledged": 2, "failed": 0},
                          "status-more": {"acknowledged": 1, "failed": 0}}')]



=== TEST 3: requests that are refused, by the module and by nginx
--- config
    location /produce { kafka_produce main; client_max_body_size 10; }
    location /produce/secret { kafka_produce main; deny all; }
    location = /status { kafka_status; }
    location = /elsewhere { default_type application/json; return 200 "[]"; }
--- mock
error status-gone UNKNOWN_TOPIC_OR_PART
--- request eval
["GET /produce/secret/m", "GET /produce/a%20b/m", "PUT /produce/status-3/m",
 "POST /produce/status-3
12345678901", "GET /produce/status-gone/m", "GET /produce/secret/m",
 "GET /elsewhere", "GET /status"]
--- error_code eval
[403, 400, 405, 413, 404, 403, 200, 200]
--- json_body eval
[(map { qq({"error": "*", "status": $_}) } 403, 400, 405, 413, 404, 403),
 '[]',
 main::status('main', requests => '{"403": 2, "400": 1, "405": 1, "413": 1,
                                    "404": 1}')]



=== TEST 4: messages that Kafka refuses
--- config
    location /produce { kafka_produce main; }
    location = /status { kafka_status; }
--- mock
fail 0 TOPIC_AUTHORIZATION_FAILED 20
--- request eval
["GET /produce/status-4/m", "POST /produce/status-4
" . '[{"value":"1"},{"value":"2"}]', "GET /status"]
--- error_code eval
[403, 403, 200]
--- json_body eval
['{"error": "*", "status": 403, "results": "*"}',
 '{"error": "*", "status": 403, "results": "*"}',
 main::status('main', requests => '{"403": 2}',
              failed => '{"TOPIC_AUTHORIZATION_FAILED": 3}', rebuilt => '"*"',
              topics => '{"status-4": {"acknowledged": 0, "failed": 3}}')]



=== TEST 5: Prometheus's text
--- config
    location /produce { kafka_produce main; }
    location = /metrics { kafka_status prometheus; }
--- request eval
["GET /produce/status-5/m", "GET /metrics"]
--- response_body_like eval
[qr/status-5/,
 qr/^kafka_messages_acknowledged_total\{producer="main"\}\ 1$
        .*^kafka_acknowledged_bytes_total\{producer="main"\}\ 1$/msx]
--- raw_response_headers_like eval
["application/json",
 'Content-Type: text/plain; version=0\.0\.4; charset=utf-8\r\n'
 . '(?:.*\r\n)*Cache-Control: no-store\r\n']



=== TEST 6: every line of it
--- config
    location = /metrics { kafka_status prometheus; }
--- request
GET /metrics
--- response_body_like eval
my $line = qr/(?:\#\ (?:HELP\ kafka_[a-z0-9_]+\ .+|
                  TYPE\ kafka_[a-z0-9_]+\ (?:counter|gauge|histogram))
               |kafka_[a-z0-9_]+(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?
                \ [0-9.]+)/x;
qr/\A(?:$line\n)+\z/



=== TEST 7: HEAD has the length and no body
--- config
    location = /status { kafka_status; }
    location = /metrics { kafka_status prometheus; }
--- request eval
["HEAD /status", "HEAD /metrics"]
--- response_body eval
["", ""]
--- raw_response_headers_like eval
['Content-Length: [1-9]\d\d+\r\n', 'Content-Length: [1-9]\d\d\d+\r\n']



=== TEST 8: other methods
--- config
    location = /status { kafka_status; }
    location = /health { kafka_health main; }
--- request eval
["POST /status\nx", "DELETE /health"]
--- error_code eval
[405, 405]
--- raw_response_headers_like eval
['Allow: GET, HEAD\r\n', 'Allow: GET, HEAD\r\n']



=== TEST 9: in an "if"
--- config
    location = /status {
        kafka_status prometheus;
        if ($arg_other) { add_header X-Other yes; }
    }
    location = /health {
        kafka_health main;
        if ($arg_other) { add_header X-Other yes; }
    }
--- request eval
["GET /status?other=1", "GET /health?other=1"]
--- error_code eval
[200, 503]
--- response_body_like eval
[qr/^# HELP /, qr/^\{"status":"down"/]



=== TEST 10: no producer, and nothing to count
--- http_config
--- config
    location = /status { kafka_status; }
    location = /metrics { kafka_status prometheus; }
--- request eval
["GET /status", "GET /metrics"]
--- response_body_like eval
[qr/"workers":\[\],"producers":\{\}\}$/, qr/^kafka_memory_bytes 0$/m]



=== TEST 11: names that need an escape
--- http_config
    kafka_producer 'q"b\\s' { bootstrap.servers $TEST_NGINX_KAFKA; }
--- config
    location = /status { kafka_status; }
    location = /metrics { kafka_status prometheus; }
    location = /health { kafka_health 'q"b\\s'; }
--- request eval
["GET /status", "GET /metrics", "GET /health"]
--- error_code eval
[200, 200, 503]
--- response_body_like eval
[qr/"producers":\{"q\\"b\\\\s":\{/,
 qr/^kafka_workers\{producer="q\\"b\\\\s"\} 1$/m,
 qr/"producer":"q\\"b\\\\s"/]



=== TEST 12: two producers
--- http_config
    kafka_producer one { bootstrap.servers $TEST_NGINX_KAFKA; }
    kafka_producer two { bootstrap.servers $TEST_NGINX_KAFKA; }
--- config
    location /produce { kafka_produce two; }
    location = /metrics { kafka_status prometheus; }
--- request eval
["GET /produce/status-12/m", "GET /metrics"]
--- response_body_like eval
[qr/status-12/,
 qr/^kafka_messages_acknowledged_total\{producer="one"\} 0
kafka_messages_acknowledged_total\{producer="two"\} 1$/m]



=== TEST 13: a zone with room for one producer: it is counted, and all work
--- http_config
    kafka_status_zone 32k;
    kafka_producer one { bootstrap.servers $TEST_NGINX_KAFKA; }
    kafka_producer two { bootstrap.servers $TEST_NGINX_KAFKA; }
    kafka_producer three { bootstrap.servers $TEST_NGINX_KAFKA; }
    kafka_producer four { bootstrap.servers $TEST_NGINX_KAFKA; }
--- config
    location /produce { kafka_produce one; }
    location /four/produce { kafka_produce four; }
    location = /status { kafka_status; }
--- request eval
["GET /produce/\$TOPIC/m", "GET /four/produce/\$TOPIC/m", "GET /status"]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}',
 main::status('one', requests => '{"200": 1}', acknowledged => 1, bytes => 1,
              topics => '{"status-13": {"acknowledged": 1, "failed": 0}}')]



=== TEST 14: a producer that has acknowledged a message is well
--- config
    location /produce { kafka_produce main; }
    location = /health { kafka_health main; }
--- request eval
["GET /produce/status-14/m", "GET /health"]
--- json_body eval
['{"topic": "status-14", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"status": "up", "producer": "main"}']
--- raw_response_headers_like eval
["", 'Cache-Control: no-store\r\n']



=== TEST 15: one that has reached no broker is not
--- config
    location = /health { kafka_health main; }
--- mock
down -1
--- request
GET /health
--- error_code: 503
--- response_body_like eval
qr/^\{"status":"down","producer":"main","reason":"no broker has been reached yet"/



=== TEST 16: statistics that are switched off where health needs them
--- producer
statistics.interval.ms 0;
--- config
    location = /health { kafka_health main; }
--- must_die: 1
--- error_log eval
[qr/\[emerg\].*"kafka_health" needs statistics.* in \S+nginx\.conf:\d+$/m]



=== TEST 17: statistics that are off, and nobody needs them
--- producer
statistics.interval.ms 0;
--- request
GET /produce/$TOPIC/m
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}



=== TEST 18: a producer that is not there
--- config
    location = /health { kafka_health other; }
--- must_die: 1
--- error_log eval
[qr/\[emerg\].*unknown kafka producer "other" in \S+nginx\.conf:\d+$/m]



=== TEST 19: a format that is not there
--- config
    location = /status { kafka_status xml; }
--- must_die: 1
--- error_log
must be "json" or "prometheus"



=== TEST 20: twice
--- config
    location = /status { kafka_status; kafka_status; }
--- must_die: 1
--- error_log
"kafka_status" directive is duplicate



=== TEST 21: health twice
--- config
    location = /status { kafka_health main; kafka_health main; }
--- must_die: 1
--- error_log
"kafka_health" directive is duplicate



=== TEST 22: a zone that is too small
--- http_config
    kafka_status_zone 31k;
--- must_die: 1
--- error_log
"kafka_status_zone" directive is too small



=== TEST 23: two at one place, of which an "if" would take another one
--- config
    location /produce { kafka_produce main; kafka_status; }
--- must_die: 1
--- error_log
"kafka_status" directive needs a location of its own



=== TEST 24: health beside status
--- config
    location = /status { kafka_status; kafka_health main; }
--- must_die: 1
--- error_log
"kafka_health" directive needs a location of its own



=== TEST 25: messages beside health
--- config
    location /produce { kafka_health main; kafka_produce main; }
--- must_die: 1
--- error_log
"kafka_produce" directive needs a location of its own



=== TEST 26: a name that JSON cannot hold
--- http_config eval
"kafka_producer \"a\xff\" { bootstrap.servers 127.0.0.1:9; }"
--- config
--- must_die: 1
--- error_log
"kafka_producer" directive has a name that is not UTF-8



=== TEST 27: a type that gzip_types finds
--- config
    location = /metrics {
        kafka_status prometheus;
        gzip on;
        gzip_min_length 1;
        gzip_types text/plain;
    }
--- request
GET /metrics
--- more_headers
Accept-Encoding: gzip
--- response_headers
Content-Encoding: gzip
Content-Type: text/plain; version=0.0.4; charset=utf-8
