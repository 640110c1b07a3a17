# Cache-Control: no-store for whatever a location of the module answers, unless
# the location sets a Cache-Control of its own.

use KafkaTest;

run_tests();

__DATA__

=== TEST 1: success
--- pipelined_requests eval
["GET /produce/\$TOPIC/a", "POST /produce/\$TOPIC\n{\"value\":\"b\"}",
 "POST /produce\n[]"]
--- raw_response_headers_like eval
[("(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n") x 3]
--- error_code eval
[200, 200, 200]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}



=== TEST 2: what the module refuses
--- mock
error $TOPIC-no UNKNOWN_TOPIC_OR_PART
--- request eval
["GET /produce/\$TOPIC-no/m", "POST /produce/\$TOPIC\n", "PUT /produce/\$TOPIC\nv",
 "HEAD /produce/\$TOPIC/m", "GET /produced"]
--- error_code eval
[404, 400, 405, 405, 404]
--- raw_response_headers_like eval
[("(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n") x 5]
--- no_records: $TOPIC



=== TEST 3: results
--- mock
fail 0 MSG_SIZE_TOO_LARGE 20
--- request
GET /produce/$TOPIC/m
--- error_code: 413
--- raw_response_headers_like chop
^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n
--- response_body_like: "results"



=== TEST 4: no broker
--- producer
message.timeout.ms 500;
--- mock
down -1
--- request
GET /produce/$TOPIC/m
--- error_code: 503
--- raw_response_headers_like chop
^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n



=== TEST 5: what nginx refuses
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    limit_req_zone $server_port zone=z:64k rate=1r/m;
    limit_req_status 429;
--- config
    location /produce { kafka_produce main; }
    location /produce/401 {
        kafka_produce        main;
        auth_basic           Kafka;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
    }
    location /produce/403 { kafka_produce main; deny all; }
    location /produce/413 { kafka_produce main; client_max_body_size 1; }
    location /produce/429 { kafka_produce main; limit_req zone=z; }
    location /produce/502 { kafka_produce main; return 502; }
    location /produce/301 { kafka_produce main; return 301 /; }
    location /produce/200 { kafka_produce main; return 200 "text"; }
--- user_files
>>> users
--- request eval
["GET /produce/401/m", "GET /produce/403/m", "POST /produce/413\nbody", "GET /produce/429/m/m",
 "GET /produce/429/m/m", "GET /produce/502/m", "GET /produce/301/m", "GET /produce/200/m"]
--- error_code eval
[401, 403, 413, 200, 429, 502, 301, 200]
--- raw_response_headers_like eval
[("(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n") x 8]



=== TEST 6: the location's own
--- config
    location /produce { kafka_produce main; add_header Cache-Control "private, max-age=1"; }
--- pipelined_requests eval
["GET /produce/\$TOPIC/a", "POST /produce/\$TOPIC\n{}"]
--- error_code eval
[200, 400]
--- raw_response_headers_like eval
["(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: private, max-age=1\r\n",
 "(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n"]



=== TEST 7: the location's own, always
--- config
    location /produce { kafka_produce main; add_header cache-control private always; }
    location /produce/denied { kafka_produce main; deny all; add_header cache-control private always; }
--- pipelined_requests eval
["GET /produce/\$TOPIC/a", "POST /produce/\$TOPIC\n{}", "GET /produce/denied/m"]
--- error_code eval
[200, 400, 403]
--- raw_response_headers_like eval
[("(?s)^(?!.*[Cc]ache-[Cc]ontrol.*[Cc]ache-[Cc]ontrol).*\r\ncache-control: private\r\n") x 3]



=== TEST 8: two lines of the location's own
--- config
    location /produce {
        kafka_produce main;
        add_header    Cache-Control private;
        add_header    Cache-Control max-age=1;
    }
--- request
GET /produce/$TOPIC/a
--- raw_response_headers_like chop
\r\nCache-Control: private\r\nCache-Control: max-age=1\r\n
--- raw_response_headers_unlike: no-store



=== TEST 9: an empty header is none
--- config
    location /produce { kafka_produce main; add_header Cache-Control $arg_none always; }
--- request
GET /produce/$TOPIC/a
--- raw_response_headers_like chop
^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: no-store\r\n



=== TEST 10: expires
--- config
    location /off   { kafka_produce main; expires off; }
    location /minus { kafka_produce main; expires -1; }
    location /epoch { kafka_produce main; expires epoch; }
    location /plus  { kafka_produce main; expires 10s; }
--- request eval
["GET /off/\$TOPIC/m", "GET /minus/\$TOPIC/m", "GET /epoch/\$TOPIC/m", "GET /plus/\$TOPIC/m",
 "GET /plus/x!/m"]
--- error_code eval
[200, 200, 200, 200, 400]
--- raw_response_headers_like eval
[map { "(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: $_\r\n" }
 qw(no-store no-cache no-cache max-age=10 no-store)]



=== TEST 11: the server's add_header is the location's
--- config
    add_header Cache-Control private always;
    location /produce { kafka_produce main; }
    location /status  { kafka_status; }
--- request eval
["GET /produce/\$TOPIC/m", "GET /status"]
--- raw_response_headers_like eval
[("(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: private\r\n") x 2]



=== TEST 12: within an "if"
--- config
    location /produce {
        kafka_produce main;
        if ($arg_mine) { add_header Cache-Control private; }
        if ($arg_not)  { set $x 1; }
    }
--- request eval
["GET /produce/\$TOPIC/m?mine=1", "GET /produce/\$TOPIC/m?not=1"]
--- raw_response_headers_like eval
[map { "(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: $_\r\n" }
 qw(private no-store)]



=== TEST 13: other locations are let alone
--- config
    location /produce { kafka_produce main; deny all; error_page 403 /other; }
    location /other   { return 404 "text"; }
--- request eval
["GET /other", "GET /produce/\$TOPIC/m", "GET /index.html"]
--- error_code eval
[404, 403, 200]
--- raw_response_headers_unlike eval
[("Cache-Control") x 3]



=== TEST 14: HTTP/2
--- http2
--- request eval
["GET /produce/\$TOPIC/m", "GET /produce/x!/m"]
--- error_code eval
[200, 400]
--- raw_response_headers_like eval
[("(?si)^(?!.*cache-control.*cache-control).*\r\ncache-control: no-store\r\n") x 2]



=== TEST 15: the variable
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    log_format cache "cache=$sent_http_cache_control;";
--- config
    location /produce {
        kafka_produce main;
        access_log    $TEST_NGINX_SERVER_ROOT/logs/access.log cache;
    }
--- request
GET /produce/$TOPIC/m
--- access_log
cache=no-store;



=== TEST 16: gzip_proxied
--- config
    gzip on; gzip_min_length 1; gzip_types application/json; gzip_proxied no-store;
    location /produce { kafka_produce main; }
--- request
GET /produce/$TOPIC/m
--- more_headers
Accept-Encoding: gzip
Via: 1.1 proxy
--- response_headers
Content-Encoding: gzip



=== TEST 17: status and health, what nginx refuses there included
--- config
    location = /status  { kafka_status; }
    location = /health  { kafka_health main; }
    location = /denied  { kafka_status; deny all; }
    location = /expires { kafka_health main; expires 1s; }
    location /produce   { kafka_produce main; }
--- request eval
["GET /produce/\$TOPIC/m", "GET /status", "GET /health", "PUT /status\n", "PUT /health\n",
 "GET /denied", "GET /expires"]
--- error_code eval
[200, 200, 200, 405, 405, 403, 200]
--- raw_response_headers_like eval
[map { "(?s)^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: $_\r\n" }
 qw(no-store no-store no-store no-store no-store no-store max-age=1)]



=== TEST 18: a cache between
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=c:1m;
--- config
    location /cached {
        rewrite            ^/cached(.*) $1 break;
        proxy_cache        c;
        proxy_cache_valid  any 1m;
        proxy_pass         http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
    }
    location /produce { kafka_produce main; }
--- request eval
["GET /cached/produce/\$TOPIC/m", "GET /cached/produce/\$TOPIC/m"]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}']
--- records
{"topic": "$TOPIC", "value": "m"}
{"topic": "$TOPIC", "value": "m"}



=== TEST 19: SSI, which has its own page's headers
--- config
    location /produce { kafka_produce main; }
    location /page.html { ssi on; add_header Cache-Control max-age=9; }
--- user_files
>>> page.html
<!--#include virtual="/produce/cache-19/m" -->
--- request
GET /page.html
--- raw_response_headers_like chop
^(?!.*Cache-Control.*Cache-Control).*\r\nCache-Control: max-age=9\r\n
--- response_body_like: "offset":0
