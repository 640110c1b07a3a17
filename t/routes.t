# Which request means what: prefix, topic and message from the URI, methods.

use KafkaTest;

my $config = <<'END';
    location /produce { kafka_produce main; }
    location /v1/kafka/produce { kafka_produce main; }
    location /slash/ { kafka_produce main; }
    location = /exact { kafka_produce main; }
    location /old/ { rewrite ^/old/(.*)$ /produce/$1 last; }
    location /keyed/ { rewrite ^/keyed/(.*)$ /produce/$1?key=rewritten last; }
END

add_block_preprocessor(sub {
    $_[0]->set_value('config', $config) if !defined $_[0]->config;
});

no_root_location();
run_tests();

__DATA__

=== TEST 1: a message in the path
--- request
GET /produce/$TOPIC/hello_kafka
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": 1234}
--- records
{"topic": "$TOPIC", "value": "hello_kafka"}



=== TEST 2: the answer is compact
--- request
GET /produce/$TOPIC/hello_kafka
--- response_body_like chop
^\{"topic":"routes-\d+","partition":0,"offset":0,"timestamp":\d+\}$
--- response_headers
Content-Type: application/json



=== TEST 3: keys in the query string
--- cases eval
[
    [['GET', '/produce/$TOPIC/m?key=city'], 200],
    [['GET', '/produce/$TOPIC/m?key='], 200],
    [['GET', '/produce/$TOPIC/m'], 200],
    [['GET', '/produce/$TOPIC/m?'], 200],
    [['GET', '/produce/$TOPIC/m?key'], 200],
    [['GET', '/produce/$TOPIC/m?a=1&key=k&b=2'], 200],
    [['GET', '/produce/$TOPIC/m?monkey=1&key2=2'], 200],
    [['GET', '/produce/$TOPIC/m?key=a+b'], 200],
    [['GET', '/produce/$TOPIC/m?key=a%2Bb'], 200],
    [['GET', '/produce/$TOPIC/m?key=a%26b%3Dc=d'], 200],
    [['GET', '/produce/$TOPIC/m?key=%252F%2f'], 200],
    [['GET', '/produce/$TOPIC/m?key=%E2%82%AC'], 200],
    [['GET', '/produce/$TOPIC/m?key=a%00b'], 200],
    [['GET', '/produce/$TOPIC/m?key=%ff'], 200],
    [['GET', '/produce/$TOPIC/m?key=../x/'], 200],
]
--- records
{"topic": "$TOPIC", "value": "m", "key": "city"}
{"topic": "$TOPIC", "value": "m", "key": ""}
{"topic": "$TOPIC", "value": "m", "key": null}
{"topic": "$TOPIC", "value": "m", "key": null}
{"topic": "$TOPIC", "value": "m", "key": ""}
{"topic": "$TOPIC", "value": "m", "key": "k"}
{"topic": "$TOPIC", "value": "m", "key": null}
{"topic": "$TOPIC", "value": "m", "key": "a b"}
{"topic": "$TOPIC", "value": "m", "key": "a+b"}
{"topic": "$TOPIC", "value": "m", "key": "a&b=c=d"}
{"topic": "$TOPIC", "value": "m", "key": "%2F/"}
{"topic": "$TOPIC", "value": "m", "key": "€"}
{"topic": "$TOPIC", "value": "m", "key": "a\u0000b"}
{"topic": "$TOPIC", "value": "m", "key": {"hex": "ff"}}
{"topic": "$TOPIC", "value": "m", "key": "../x/"}



=== TEST 4: bad escapes in a key
--- cases eval
[
    [['GET', '/produce/$TOPIC/m?key=%'], 400, qr/key/],
    [['GET', '/produce/$TOPIC/m?key=a%2'], 400, qr/key/],
    [['GET', '/produce/$TOPIC/m?key=%zz'], 400, qr/key/],
    [['GET', '/produce/$TOPIC/m?key=%2&x=1'], 400, qr/key/],
]
--- no_records: $TOPIC



=== TEST 5: a message is decoded once, and nothing else
--- cases eval
[
    [['GET', '/produce/$TOPIC/a%2Fb'], 200],
    [['GET', '/produce/$TOPIC/a/b'], 200],
    [['GET', '/produce/$TOPIC/a//b'], 200],
    [['GET', '/produce/$TOPIC//a'], 200],
    [['GET', '/produce/$TOPIC///'], 200],
    [['GET', '/produce/$TOPIC/a/'], 200],
    [['GET', '/produce/$TOPIC/a/../b'], 200],
    [['GET', '/produce/$TOPIC/a/%2E%2E/b'], 200],
    [['GET', '/produce/$TOPIC/a/..'], 200],
    [['GET', '/produce/$TOPIC/./a/.'], 200],
    [['GET', '/produce/$TOPIC/a+b'], 200],
    [['GET', '/produce/$TOPIC/a%20b%0A'], 200],
    [['GET', '/produce/$TOPIC/%252F%25'], 200],
    [['GET', '/produce/$TOPIC/a%3Fkey=b%23?key=k'], 200],
    [['GET', '/produce/$TOPIC/%C3%A9'], 200],
    [['GET', "/produce/\$TOPIC/\xc3\xa9"], 200],
    [['GET', '/produce/$TOPIC/%ff'], 200],
    [['GET', '/produce/$TOPIC/%7B%22a%22:1%7D'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a/b"}
{"topic": "$TOPIC", "value": "a/b"}
{"topic": "$TOPIC", "value": "a//b"}
{"topic": "$TOPIC", "value": "/a"}
{"topic": "$TOPIC", "value": "//"}
{"topic": "$TOPIC", "value": "a/"}
{"topic": "$TOPIC", "value": "a/../b"}
{"topic": "$TOPIC", "value": "a/../b"}
{"topic": "$TOPIC", "value": "a/.."}
{"topic": "$TOPIC", "value": "./a/."}
{"topic": "$TOPIC", "value": "a+b"}
{"topic": "$TOPIC", "value": "a b\n"}
{"topic": "$TOPIC", "value": "%2F%"}
{"topic": "$TOPIC", "value": "a?key=b#", "key": "k"}
{"topic": "$TOPIC", "value": "é"}
{"topic": "$TOPIC", "value": "é"}
{"topic": "$TOPIC", "value": {"hex": "ff"}}
{"topic": "$TOPIC", "value": "{\"a\":1}"}



=== TEST 6: a URI whose raw form names another topic than the normalised one
--- mock
topic other 1
--- cases eval
[
    [['GET', '/produce/other/../$TOPIC/m'], 400],
    [['GET', '/produce/$TOPIC/../other/m'], 400],
    [['GET', '/produce/other/%2E%2E/$TOPIC/m'], 400],
    [['GET', '/x/../produce/$TOPIC/m'], 400],
    [['GET', '/produce/./$TOPIC/m'], 400],
    [['GET', '/produce/../produce/$TOPIC/m'], 400],
    [['GET', '/produce//$TOPIC/m'], 400],
    [['GET', '//produce/$TOPIC/m'], 400],
    [['GET', '/produce/$TOPIC%2Fm/n'], 400],
    [['GET', '/produce/$TOPIC/..'], 400],
    [['GET', '/produce/$TOPIC/%2e%2e'], 400],
    [['GET', '/produce/$TOPIC/a/../../m'], 400],
    [['POST', '/produce/other/../$TOPIC', '{"value":"v"}'], 400],
    [['POST', '/produce/$TOPIC/../other', '{"value":"v"}'], 400],
    [['POST', '/produce//$TOPIC', '{"value":"v"}'], 400],
]
--- no_records: $TOPIC other



=== TEST 7: escapes that change neither prefix nor topic
--- mock
topic $TOPIC-x 1
--- cases eval
[
    [['GET', '/%70roduce/$TOPIC%2Dx/a'], 200, '{"topic": "$TOPIC-x",
        "partition": 0, "offset": 0, "timestamp": "*"}'],
    [['POST', '/produce/$TOPIC%2dx', '{"value":"b"}'], 200],
]
--- records
{"topic": "$TOPIC-x", "value": "a"}
{"topic": "$TOPIC-x", "value": "b"}



=== TEST 8: a body to a topic
--- cases eval
[
    [['POST', '/produce/$TOPIC', '{"value":"a"}'], 200,
     '[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]'],
    [['GET', '/produce/$TOPIC', '{"value":"b"}'], 200,
     '[{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}]'],
    [['POST', '/produce/$TOPIC/', '[{"value":"c"},{"value":"d"}]'], 200,
     '[{"topic": "$TOPIC", "partition": 0, "offset": 2, "timestamp": "*"},
       {"topic": "$TOPIC", "partition": 0, "offset": 3, "timestamp": "*"}]'],
    [['GET', '/produce/$TOPIC/?key=unused', '{"value":"e"}'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}
{"topic": "$TOPIC", "value": "d"}
{"topic": "$TOPIC", "value": "e"}



=== TEST 9: a body that names its topics
--- mock
topic $TOPIC-b 2
--- cases eval
[
    [['POST', '/produce', '{"topic":"$TOPIC","value":"a"}'], 200,
     '[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}]'],
    [['GET', '/produce/', '{"topic":"$TOPIC","value":"b"}'], 200],
    [['POST', '/produce/', '[{"topic":"$TOPIC-b","partition":1,"value":"c"},
        {"topic":"$TOPIC","value":"d"},
        {"topic":"$TOPIC-b","partition":0,"value":"e"}]'], 200,
     '[{"topic": "$TOPIC-b", "partition": 1, "offset": 0, "timestamp": "*"},
       {"topic": "$TOPIC", "partition": 0, "offset": 2, "timestamp": "*"},
       {"topic": "$TOPIC-b", "partition": 0, "offset": 0, "timestamp": "*"}]'],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "d"}
{"topic": "$TOPIC-b", "partition": 0, "value": "e"}
{"topic": "$TOPIC-b", "partition": 1, "value": "c"}



=== TEST 10: no body
--- cases eval
[
    [['GET', '/produce/$TOPIC'], 400, qr/empty/],
    [['GET', '/produce/$TOPIC/'], 400, qr/empty/],
    [['POST', '/produce/$TOPIC', ''], 400, qr/empty/],
    [['POST', '/produce'], 400, qr/empty/],
    [['GET', '/produce/'], 400, qr/empty/],
]
--- no_records: $TOPIC



=== TEST 11: every kind of location
--- cases eval
[
    [['GET', '/v1/kafka/produce/$TOPIC/a'], 200],
    [['POST', '/v1/kafka/produce/$TOPIC', '{"value":"b"}'], 200],
    [['POST', '/v1/kafka/produce', '{"topic":"$TOPIC","value":"c"}'], 200],
    [['GET', '/slash/$TOPIC/d'], 200],
    [['POST', '/slash/$TOPIC', '{"value":"e"}'], 200],
    [['POST', '/slash/$TOPIC/', '{"value":"f"}'], 200],
    [['POST', '/slash/', '{"topic":"$TOPIC","value":"g"}'], 200],
    [['POST', '/exact', '{"topic":"$TOPIC","value":"h"}'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}
{"topic": "$TOPIC", "value": "d"}
{"topic": "$TOPIC", "value": "e"}
{"topic": "$TOPIC", "value": "f"}
{"topic": "$TOPIC", "value": "g"}
{"topic": "$TOPIC", "value": "h"}



=== TEST 12: a location at the root
--- config
    location / { kafka_produce main; }
--- cases eval
[
    [['GET', '/$TOPIC/a'], 200],
    [['POST', '/$TOPIC', '{"value":"b"}'], 200],
    [['POST', '/', '{"topic":"$TOPIC","value":"c"}'], 200],
    [['GET', '/$TOPIC/d//e'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}
{"topic": "$TOPIC", "value": "d//e"}



=== TEST 13: no such route
--- cases eval
[
    [['GET', '/producers/x'], 404],
    [['GET', '/producers/x/y'], 404],
    [['POST', '/producex', '{"topic":"$TOPIC","value":"v"}'], 404],
    [['GET', '/produce.$TOPIC/x'], 404],
    [['GET', '/v1/kafka/produces/$TOPIC/x'], 404],
]
--- no_records: $TOPIC



=== TEST 14: other methods on a topic
--- request eval
[map { "$_ /produce/\$TOPIC\n{\"value\":\"v\"}" } qw(PUT DELETE PATCH OPTIONS)]
--- error_code eval
[(405) x 4]
--- json_body eval
[('{"error": "*", "status": 405}') x 4]
--- response_headers eval
[("Allow: GET, POST\nContent-Type: application/json") x 4]
--- no_records: $TOPIC



=== TEST 15: other methods on every topic
--- request
PUT /produce
{"topic": "$TOPIC", "value": "v"}
--- error_code: 405
--- response_headers
Allow: GET, POST
--- json_body
{"error": "*", "status": 405}
--- no_records: $TOPIC



=== TEST 16: other methods on a message in the path
--- request eval
[map { "$_ /produce/\$TOPIC/m\n{\"value\":\"v\"}" } qw(POST PUT DELETE OPTIONS)]
--- error_code eval
[(405) x 4]
--- json_body eval
[('{"error": "*", "status": 405}') x 4]
--- response_headers eval
[("Allow: GET\nContent-Type: application/json") x 4]
--- no_records: $TOPIC



=== TEST 17: HEAD
--- request eval
["HEAD /produce/\$TOPIC/m", "HEAD /produce/\$TOPIC", "HEAD /produce"]
--- error_code eval
[405, 405, 405]
--- response_headers eval
["Allow: GET", "Allow: GET, POST", "Allow: GET, POST"]
--- response_body eval
["", "", ""]
--- no_records: $TOPIC



=== TEST 18: a message from a rewritten URI
--- cases eval
[
    [['GET', '/old/$TOPIC/a'], 200],
    [['GET', '/old/$TOPIC/a%2Fb%20c?key=k'], 200],
    [['GET', '/keyed/$TOPIC/d'], 200],
    [['POST', '/old/$TOPIC', '{"value":"e"}'], 200],
    [['POST', '/old/', '{"topic":"$TOPIC","value":"f"}'], 200],
    [['POST', '/old/$TOPIC/m', '{"value":"g"}'], 405],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "a/b c", "key": "k"}
{"topic": "$TOPIC", "value": "d", "key": "rewritten"}
{"topic": "$TOPIC", "value": "e"}
{"topic": "$TOPIC", "value": "f"}



=== TEST 19: topic names that Kafka knows
--- mock eval
"topic A.b_c-9 1\ntopic ... 1\ntopic " . "n" x 249 . " 1"
--- cases eval
[
    [['GET', '/produce/A.b_c-9/m'], 200],
    [['GET', '/produce/.../m'], 200],
    [['GET', '/produce/' . 'n' x 249 . '/m'], 200],
    [['POST', '/produce', '{"topic":"' . 'n' x 249 . '","value":"v"}'], 200],
]
--- records eval
'{"topic": "A.b_c-9", "value": "m"}
{"topic": "...", "value": "m"}
{"topic": "' . 'n' x 249 . '", "value": "m"}
{"topic": "' . 'n' x 249 . '", "value": "v"}'



=== TEST 20: topic names that no topic can have
--- cases eval
[
    [['GET', '/produce/' . 'n' x 250 . '/m'], 400, qr/topic/],
    [['POST', '/produce/' . 'n' x 250, '{"value":"v"}'], 400, qr/topic/],
    [['GET', '/produce/a%20b/m'], 400, qr/topic/],
    [['GET', '/produce/a!/m'], 400, qr/topic/],
    [['GET', '/produce/%C3%A9/m'], 400, qr/topic/],
    [['GET', '/produce/a:b/m'], 400, qr/topic/],
    [['POST', '/produce/a%2Bb', '{"value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":"","value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":".","value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":"..","value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":"a b","value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":"a/b","value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":"a\u0000","value":"v"}'], 400, qr/topic/],
    [['POST', '/produce', '{"topic":"' . 'n' x 250 . '","value":"v"}'], 400,
     qr/topic/],
]



=== TEST 21: a URI with a host in it
--- cases eval
[
    [['GET', 'http://localhost/produce/$TOPIC/a//b%2Fc'], 200],
    [['POST', 'http://localhost/produce/$TOPIC', '{"value":"d"}'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a//b/c"}
{"topic": "$TOPIC", "value": "d"}



=== TEST 22: a long message in the path
--- request eval
"GET /produce/\$TOPIC/" . "m" x 7000
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records eval
'{"topic": "$TOPIC", "value": "' . 'm' x 7000 . '"}'



=== TEST 23: HTTP/1.0, several requests on a connection
--- pipelined_requests eval
["GET /produce/\$TOPIC/a", "POST /produce/\$TOPIC\n{\"value\":\"b\"}",
 "GET /produce/\$TOPIC/c HTTP/1.0"]
--- json_body eval
['{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}',
 '[{"topic": "$TOPIC", "partition": 0, "offset": 1, "timestamp": "*"}]',
 '{"topic": "$TOPIC", "partition": 0, "offset": 2, "timestamp": "*"}']
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}



=== TEST 24: HTTP/2
--- http2
--- request
GET /produce/$TOPIC/a//b%2Fc?key=k
--- response_body_like: "offset":0
--- records
{"topic": "$TOPIC", "value": "a//b/c", "key": "k"}



=== TEST 25: a URI rewritten to one outside the location
--- config
    location /publish-news {
        rewrite ^ /news break;
        kafka_produce main;
    }
--- request
POST /publish-news
{"topic":"$TOPIC","value":"x"}
--- error_code: 404
--- response_body_like chop
^\{"error":"no such route: .+","status":404\}$
--- no_records: $TOPIC



=== TEST 26: a message that try_files puts behind the topic is not sent
--- config
    location /produce {
        try_files $uri/x =404;
        kafka_produce main;
    }
--- user_files
>>> produce/routes-26/x
not sent
--- request
GET /produce/$TOPIC
--- error_code: 400
--- response_body_like chop
^\{"error":"the path must name its topic plainly.+","status":400\}$
--- no_records: $TOPIC
