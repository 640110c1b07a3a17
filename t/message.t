# The message object: every field, of every type.

use KafkaTest;

run_tests();

__DATA__

=== TEST 1: value
--- cases eval
[
    [q({"value":"v"}), 200, '[{"topic": "$TOPIC", "partition": 0, "offset": 0,
                               "timestamp": 1234}]'],
    [q({"value":""}), 200],
    [q([{"value":"a"},{"value":"b"}]), 200],
    [q( { "value" : "c" } ), 200],
]
--- records
{"topic": "$TOPIC", "value": "v"}
{"topic": "$TOPIC", "value": ""}
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}



=== TEST 2: value absent or of another type
--- cases eval
[
    [q({}), 400, qr/message 0: field "value" is missing$/],
    [q({"key":"k"}), 400, qr/message 0: field "value" is missing$/],
    [q([{"value":"v"},{}]), 400, qr/message 1: field "value" is missing$/],
    [q({"records":[{"value":"v"}]}), 400, qr/field "value" is missing$/],
    [q({"value":"v","value":null}), 400, qr/message 0\b.*value.*string/],
    [q({"value":null}), 400, qr/message 0\b.*value.*string/],
    [q({"value":1}), 400, qr/message 0\b.*value.*string/],
    [q({"value":1.5}), 400, qr/message 0\b.*value.*string/],
    [q({"value":true}), 400, qr/message 0\b.*value.*string/],
    [q({"value":false}), 400, qr/message 0\b.*value.*string/],
    [q({"value":{}}), 400, qr/message 0\b.*value.*string/],
    [q({"value":{"a":"b"}}), 400, qr/message 0\b.*value.*string/],
    [q({"value":[]}), 400, qr/message 0\b.*value.*string/],
    [q({"value":["v"]}), 400, qr/message 0\b.*value.*string/],
]
--- no_records: $TOPIC



=== TEST 3: partition
--- mock
topic $TOPIC-p 3
--- uri: /produce/$TOPIC-p
--- cases eval
[
    [q({"partition":2,"value":"a"}), 200, '[{"topic": "$TOPIC-p",
        "partition": 2, "offset": 0, "timestamp": "*"}]'],
    [q({"value":"b","partition":0}), 200],
    [q([{"value":"c","partition":1},{"value":"d","partition":2}]), 200],
]
--- records
{"topic": "$TOPIC-p", "partition": 0, "value": "b"}
{"topic": "$TOPIC-p", "partition": 1, "value": "c"}
{"topic": "$TOPIC-p", "partition": 2, "value": "a"}
{"topic": "$TOPIC-p", "partition": 2, "value": "d"}



=== TEST 4: partition left to Kafka
--- cases eval
[
    [q({"value":"a","partition":null}), 200],
    [q({"value":"b"}), 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}



=== TEST 5: partition of another type or range
--- cases eval
[
    [q({"value":"v","partition":-1}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":0.0}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":1.0}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":0e0}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":1e3}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":1E-3}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":2147483648}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":4294967296}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":9223372036854775807}), 400,
     qr/message 0\b.*partition/],
    [q({"value":"v","partition":18446744073709551616}), 400,
     qr/message 0\b.*partition/],
    [q({"value":"v","partition":1e400}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":"0"}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":""}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":true}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":false}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":[]}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":[0]}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":{}}), 400, qr/message 0\b.*partition/],
    [q({"value":"v","partition":00}), 400, qr/byte \d+/],
    [q({"value":"v","partition":01}), 400, qr/byte \d+/],
    [q({"value":"v","partition":+1}), 400, qr/byte \d+/],
    [q({"value":"v","partition":0x1}), 400, qr/byte \d+/],
    [q({"value":"v","partition":1.}), 400, qr/byte \d+/],
    [q({"value":"v","partition":.5}), 400, qr/byte \d+/],
    [q({"value":"v","partition":NaN}), 400, qr/byte \d+/],
]
--- no_records: $TOPIC



=== TEST 6: a partition that the topic lacks
--- cases eval
[
    [q({"value":"v","partition":1}), 400, qr/partition/],
    [q({"value":"v","partition":2147483647}), 400, qr/partition/],
    [q([{"value":"v","partition":0},{"value":"v","partition":7}]), 400,
     qr/message 1\b.*partition/],
]
--- no_records: $TOPIC



=== TEST 7: timestamp
--- cases eval
[
    [q({"value":"a","timestamp":1637745834744}), 200],
    [q({"timestamp":1,"value":"b"}), 200],
    [q({"value":"c","timestamp":2147483648}), 200],
    [q([{"value":"d","timestamp":5},{"value":"e","timestamp":4}]), 200],
]
--- records
{"topic": "$TOPIC", "value": "a", "timestamp": 1637745834744}
{"topic": "$TOPIC", "value": "b", "timestamp": 1}
{"topic": "$TOPIC", "value": "c", "timestamp": 2147483648}
{"topic": "$TOPIC", "value": "d", "timestamp": 5}
{"topic": "$TOPIC", "value": "e", "timestamp": 4}



=== TEST 8: timestamp left to Kafka
--- cases eval
[
    [q({"value":"a","timestamp":null}), 200],
    [q({"value":"b"}), 200],
]
--- records
{"topic": "$TOPIC", "value": "a", "timestamp": "~^1[0-9]{12}$"}
{"topic": "$TOPIC", "value": "b", "timestamp": "~^1[0-9]{12}$"}



=== TEST 9: timestamp of another type or range
--- cases eval
[
    [q({"value":"v","timestamp":0}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":-0}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":-1}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":1.0}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":1e3}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":9223372036854775808}), 400,
     qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":-9223372036854775808}), 400,
     qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":100000000000000000000}), 400,
     qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":"1637745834744"}), 400,
     qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":true}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":[]}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":{}}), 400, qr/message 0\b.*timestamp/],
    [q({"value":"v","timestamp":01}), 400, qr/byte \d+/],
]
--- no_records: $TOPIC



=== TEST 10: key
--- cases eval
[
    [q({"value":"a","key":"k"}), 200],
    [q({"key":"","value":"b"}), 200],
    [q({"value":"c","key":null}), 200],
    [q({"value":"d"}), 200],
    [q({"value":"e","key":"\u0000"}), 200],
]
--- records
{"topic": "$TOPIC", "value": "a", "key": "k"}
{"topic": "$TOPIC", "value": "b", "key": ""}
{"topic": "$TOPIC", "value": "c", "key": null}
{"topic": "$TOPIC", "value": "d", "key": null}
{"topic": "$TOPIC", "value": "e", "key": "\u0000"}



=== TEST 11: key of another type
--- cases eval
[
    [q({"value":"v","key":1}), 400, qr/message 0\b.*key.*string/],
    [q({"value":"v","key":true}), 400, qr/message 0\b.*key.*string/],
    [q({"value":"v","key":false}), 400, qr/message 0\b.*key.*string/],
    [q({"value":"v","key":[]}), 400, qr/message 0\b.*key.*string/],
    [q({"value":"v","key":["k"]}), 400, qr/message 0\b.*key.*string/],
    [q({"value":"v","key":{}}), 400, qr/message 0\b.*key.*string/],
]
--- no_records: $TOPIC



=== TEST 12: headers
--- cases eval
[
    [q({"value":"a","headers":[{"key":"h","value":"1"}]}), 200],
    [q({"value":"b","headers":[{"value":"2","key":"b"},{"key":"a","value":"1"},
        {"key":"b","value":"3"}]}), 200],
    [q({"headers":[{"key":"n","value":null},{"key":"","value":""}],
        "value":"c"}), 200],
    [q({"value":"d","headers":[]}), 200],
    [q({"value":"e","headers":null}), 200],
    [q({"value":"f","headers":[{"key":"\u00e9","value":"\u0000\"",
        "more":[{"key":1}]}]}), 200],
    [q({"value":"g","headers":[{"key":"x","value":"x","key":"y","value":"z"}]}),
     200],
]
--- records
{"topic": "$TOPIC", "value": "a", "headers": ["h", "1"]}
{"topic": "$TOPIC", "value": "b", "headers": ["b", "2", "a", "1", "b", "3"]}
{"topic": "$TOPIC", "value": "c", "headers": ["n", null, "", ""]}
{"topic": "$TOPIC", "value": "d", "headers": []}
{"topic": "$TOPIC", "value": "e", "headers": []}
{"topic": "$TOPIC", "value": "f", "headers": ["é", "\u0000\""]}
{"topic": "$TOPIC", "value": "g", "headers": ["y", "z"]}



=== TEST 13: headers of another type
--- cases eval
[
    map({ [qq({"value":"v","headers":$_}), 400, qr/message 0\b.*headers/] }
        '{}', '"h"', '1', 'true', 'false', '{"h":"1"}', '[1]', '[null]',
        '["h"]', '[[]]', '[true]', '[{}]', '[{"value":"v"}]',
        '[{"key":null,"value":"v"}]', '[{"key":1,"value":"v"}]',
        '[{"key":true,"value":"v"}]', '[{"key":[],"value":"v"}]',
        '[{"key":{},"value":"v"}]', '[{"key":"k","value":1}]',
        '[{"key":"k","value":true}]', '[{"key":"k","value":[]}]',
        '[{"key":"k","value":["v"]}]', '[{"key":"k","value":{}}]',
        '[{"key":"a","value":"b"},{"key":"c","value":4}]',
        '[{"key":"a","value":"b"},[]]'),
]
--- no_records: $TOPIC



=== TEST 14: a field given twice
--- cases eval
[
    [q({"value":"a","value":"b"}), 200],
    [q({"key":"a","value":"c","key":"b"}), 200],
    [q({"key":"a","value":"d","key":null}), 200],
    [q({"timestamp":1,"value":"e","timestamp":2}), 200],
    [q({"partition":0,"value":"f","partition":null}), 200],
    [q({"headers":[{"key":"a","value":"b"}],"headers":[{"key":"c","value":"d"}],
        "value":"g"}), 200],
    [q({"headers":[{"key":"a","value":"b"}],"headers":null,"value":"h"}), 200],
    [q({"topic":"$TOPIC","value":"i","topic":null}), 200],
]
--- records
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c", "key": "b"}
{"topic": "$TOPIC", "value": "d", "key": null}
{"topic": "$TOPIC", "value": "e", "timestamp": 2}
{"topic": "$TOPIC", "value": "f"}
{"topic": "$TOPIC", "value": "g", "headers": ["c", "d"]}
{"topic": "$TOPIC", "value": "h", "headers": []}
{"topic": "$TOPIC", "value": "i"}



=== TEST 15: a field given twice, the last one bad
--- cases eval
[
    [q({"value":"a","value":null}), 400, qr/message 0\b.*value/],
    [q({"value":"a","value":1}), 400, qr/message 0\b.*value/],
    [q({"value":"a","key":"k","key":1}), 400, qr/message 0\b.*key/],
    [q({"value":"a","partition":0,"partition":-1}), 400,
     qr/message 0\b.*partition/],
]
--- no_records: $TOPIC



=== TEST 16: unknown fields
--- cases eval
[
    [q({"value":"a","x":1}), 200],
    [q({"x":{"value":1,"headers":[{"key":1}]},"value":"b"}), 200],
    [q({"value":"c","x":[[{"value":null}],{},"value",[1,2.5e-3,true,null]]}),
     200],
    [q({"Value":1,"value":"d","val":2,"values":3,"":4," value":5}), 200],
    [q({"x":{"y":{"z":[{"key":{"value":{"headers":[]}}}]}},"value":"e"}), 200],
    [q({"value":"f","offset":-1,"error":null}), 200],
    [q({"value":"g","value\u0000":1,"\u0000":2}), 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}
{"topic": "$TOPIC", "value": "d"}
{"topic": "$TOPIC", "value": "e"}
{"topic": "$TOPIC", "value": "f"}
{"topic": "$TOPIC", "value": "g"}



=== TEST 17: field names may be escaped
--- cases eval
[
    [q({"\u0076alue":"a","ke\u0079":"k"}), 200],
    [q({"v\u0061lue":1}), 400, qr/message 0\b.*value/],
]
--- records
{"topic": "$TOPIC", "value": "a", "key": "k"}



=== TEST 18: the path's topic, and the message's
--- mock
topic other 1
--- cases eval
[
    [q({"topic":"$TOPIC","value":"a"}), 200],
    [q({"value":"b","topic":null}), 200],
    [q({"value":"c","topic":"other"}), 400, qr/message 0\b.*topic/],
    [q({"value":"c","topic":"$TOPIC "}), 400, qr/message 0\b.*topic/],
    [q({"value":"c","topic":""}), 400, qr/message 0\b.*topic/],
    [q({"value":"c","topic":1}), 400, qr/message 0\b.*topic/],
    [q({"value":"c","topic":["$TOPIC"]}), 400, qr/message 0\b.*topic/],
    [q([{"value":"c","topic":"$TOPIC"},{"value":"d","topic":"other"}]), 400,
     qr/message 1\b.*topic/],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
--- no_records: other



=== TEST 19: a topic is needed where the path has none
--- uri: /produce
--- cases eval
[
    [q({"value":"v"}), 400, qr/message 0\b.*topic/],
    [q({"value":"v","topic":null}), 400, qr/message 0\b.*topic/],
    [q({"value":"v","topic":1}), 400, qr/message 0\b.*topic/],
    [q({"value":"v","topic":true}), 400, qr/message 0\b.*topic/],
    [q({"value":"v","topic":{}}), 400, qr/message 0\b.*topic/],
    [q({"value":"v","topic":["$TOPIC"]}), 400, qr/message 0\b.*topic/],
    [q([{"value":"v","topic":"$TOPIC"},{"value":"v"}]), 400,
     qr/message 1\b.*topic/],
    [q({"topic":"$TOPIC"}), 400, qr/message 0\b.*value/],
]
--- no_records: $TOPIC



=== TEST 20: what is no message
--- cases eval
[
    [q("v"), 400], [q(1), 400], [q(null), 400], [q(true), 400],
    [q([1]), 400, qr/message 0\b.*object/],
    [q(["v"]), 400, qr/message 0\b.*object/],
    [q([null]), 400, qr/message 0\b.*object/],
    [q([[]]), 400, qr/message 0\b.*object/],
    [q([[{"value":"v"}]]), 400, qr/message 0\b.*object/],
    [q([{"value":"v"},[]]), 400, qr/message 1\b.*object/],
    [q([{"value":"v"},"v"]), 400, qr/message 1\b.*object/],
]
--- no_records: $TOPIC



=== TEST 21: nothing is produced when any message is bad
--- cases eval
[
    [q([{"value":"a"},{"value":"b"},{"value":3}]), 400,
     qr/message 2\b.*value/],
    [q([{"value":1},{"value":"b"},{"value":"c"}]), 400,
     qr/message 0\b.*value/],
    [q([{"value":"a"},{"value":"b"}), 400],
    [q([{"value":"a"},{"value":"b"}]x), 400, qr/byte \d+/],
]
--- no_records: $TOPIC



=== TEST 22: no message at all
--- cases eval
[
    [q([]), 200, '[]'],
    [q( [ ] ), 200, '[]'],
]
--- no_records: $TOPIC



=== TEST 23: a thousand messages
--- request eval
"POST /produce/\$TOPIC\n["
. join(',', map { qq({"value":"v$_","key":"k$_"}) } 0 .. 999) . ']'
--- json_body eval
'[' . join(',', map { qq({"topic":"\$TOPIC","partition":0,"offset":$_,)
                      . q("timestamp":1234}) } 0 .. 999) . ']'
--- records eval
join "\n", map { qq({"topic":"\$TOPIC","value":"v$_","key":"k$_"}) } 0 .. 999



=== TEST 24: a long value
--- request eval
"POST /produce/\$TOPIC\n" . '{"value":"' . 'v' x 900000 . '"}'
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": 1234}]
--- records eval
'{"topic": "$TOPIC", "value": "' . 'v' x 900000 . '"}'
