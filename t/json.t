# What is JSON and what is not: RFC 8259, and a trailing comma.

use KafkaTest;

run_tests();

__DATA__

=== TEST 1: a trailing comma
--- cases eval
[
    [q([{"value":"a"},]), 200, '["*"]'],
    [q([{"value":"b"} , ]), 200, '["*"]'],
    [qq([{"value":"c"}\n,\r\n\t]), 200, '["*"]'],
    [q({"value":"d",}), 200, '["*"]'],
    [q({"value":"e", }), 200, '["*"]'],
    [q([{"value":"f",},{"value":"g",},]), 200, '["*", "*"]'],
    [q({"value":"h","headers":[{"key":"k","value":"v",},],}), 200, '["*"]'],
    [q({"x":[1,2,],"y":{"z":[{},],},"value":"i"}), 200, '["*"]'],
    [q({"value":",]","key":",}"}), 200, '["*"]'],
    [q({"value":"\",]",}), 200, '["*"]'],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}
{"topic": "$TOPIC", "value": "d"}
{"topic": "$TOPIC", "value": "e"}
{"topic": "$TOPIC", "value": "f"}
{"topic": "$TOPIC", "value": "g"}
{"topic": "$TOPIC", "value": "h", "headers": ["k", "v"]}
{"topic": "$TOPIC", "value": "i"}
{"topic": "$TOPIC", "value": ",]", "key": ",}"}
{"topic": "$TOPIC", "value": "\",]"}



=== TEST 2: other commas
--- cases eval
[
    map { [$_, 400, qr/byte \d+/] }
        q([,]), q({,}), q([ , ]), q({ , }), q(,), q(,[]), q(,{"value":"v"}),
        q([{"value":"v"},,]), q([{"value":"v"}, ,]), q([,{"value":"v"}]),
        q([{"value":"v"},,{"value":"v"}]), q({"value":"v",,}),
        q({,"value":"v"}), q({"value":"v",,"key":"k"}), q({"value":,}),
        q({"value",}), q({"value":,"key":"k"}), q({"value","v"}),
        q({"value":"v"},), q([],), q([{"value":"v"}],), q({"value":"v"} , ),
        q({"x":[,],"value":"v"}), q({"x":[1,,],"value":"v"}),
        q({"x":{,},"value":"v"}), q({"value":"v","headers":[,]}),
        q([{"value":"v"},}), q({"value":"v",]), q({"value":"v":}),
]
--- no_records: $TOPIC



=== TEST 3: an array or object that does not end, or ends twice
--- cases eval
[
    map { [$_, 400] }
        q([), q({), q([{"value":"v"}), q([{"value":"v"},), q({"value":"v"),
        q({"value":"v",), q({"value":), q({"value"), q({"value":"v), q({"va),
        q({"value":"v\\), q({"value":"\u00), q({"value":tru), q({"value":-),
        q({"value":"v"}}), q([{"value":"v"}]]), q([{"value":"v"]}), q(}), q(]),
]
--- no_records: $TOPIC



=== TEST 4: nothing but white space
--- cases eval
[
    ['', 400, qr/empty/],
    [' ', 400, qr/empty/],
    ["\r\n\t \n", 400, qr/empty/],
]
--- no_records: $TOPIC



=== TEST 5: white space around
--- cases eval
[
    [qq( \t\r\n{ \t\r\n"value" \t\r\n: \t\r\n"a" \t\r\n} \t\r\n), 200, '["*"]'],
    [qq(\n[\n]\n), 200, '[]'],
]
--- records
{"topic": "$TOPIC", "value": "a"}



=== TEST 6: what is not white space
--- cases eval
[
    map { [$_, 400, qr/byte \d+/] }
        qq(\f{"value":"v"}), qq({\f"value":"v"}), qq({"value":\x0b"v"}),
        qq({"value":"v"}\f), qq({"value":"v"}\x0b), qq(\x0b[]), qq([\f]),
        qq({"value":"v"}\0), qq(\0{"value":"v"}), qq({\0"value":"v"}),
        qq(\xa0{"value":"v"}), qq(\xc2\xa0{"value":"v"}),
        qq({"value":\xe2\x80\xa8"v"}), qq(\xef\xbb\xbf{"value":"v"}),
        qq(\xef\xbb\xbf[]), qq({"value":"v"}\x1a),
]
--- no_records: $TOPIC



=== TEST 7: comments, quotes, words
--- cases eval
[
    map { [$_, 400, qr/byte \d+/] }
        q({"value":"v"}//), q(/**/{"value":"v"}), q({/**/"value":"v"}),
        q({"value":"v"/* */}), q({"value":"v"} # x), qq(// x\n{"value":"v"}),
        q({'value':'v'}), q({"value":'v'}), q({value:"v"}), q({"value":v}),
        q({"value":True}), q({"x":None,"value":"v"}), q({"x":nul,"value":"v"}),
        q({"x":nulll,"value":"v"}), q({"x":undefined,"value":"v"}),
        q({"x":NaN,"value":"v"}), q({"x":Infinity,"value":"v"}),
        q({"value":"v";}), q(<v/>), q(value=v), q({"value"="v"}),
        q({1:1,"value":"v"}), q({null:1,"value":"v"}), q({"value" "v"}),
        q({"value":"v" "key":"k"}), q([{"value":"v"}{"value":"v"}]),
]
--- no_records: $TOPIC



=== TEST 8: a second document
--- cases eval
[
    [qq({"value":"v"}\n{"value":"v"}\n), 400,
     qr/send newline-delimited JSON as one array, byte 14$/],
    map { [$_, 400, qr/data after the end of the document: .*, byte \d+$/] }
        q({"value":"v"}{"value":"v"}), qq({"value":"v"}\r\n{"value":"v"}),
        q({"value":"v"} x), q([]1), q([][]), q({"value":"v"} null),
        q([{"value":"v"}]"v"),
]
--- no_records: $TOPIC



=== TEST 9: numbers in fields that are skipped
--- cases eval
[
    [q({"x":[0,-0,1,-1,1.5,1e3,1E+3,1e-3,0.1,1e400,-1E-400,
        123456789012345678901234567890],"value":"a"}), 200],
    map({ [qq({"x":$_,"value":"v"}), 400, qr/byte \d+/] }
        '01', '-01', '+1', '.1', '1.', '-', '1e', '1e+', '0x1', '1_000',
        '1.2.3', '--1', '1-1', '00'),
]
--- records
{"topic": "$TOPIC", "value": "a"}



=== TEST 10: strings arrive byte for byte
--- cases eval
[
    [q({"value":"\u0000"}), 200],
    [q({"value":"a\u0000b"}), 200],
    [q({"value":"\"\\\\\/\b\f\n\r\t"}), 200],
    [q({"value":"\u00e9\u20AC\uD83D\uDE00"}), 200],
    [qq({"value":"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}), 200],
    [qq({"value":"\xe2\x80\xa8\xe2\x80\xa9"}), 200],
    [q({"value":"\u2028\u2029"}), 200],
    [qq({"value":"\xef\xbb\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf"}), 200],
    [qq({"value":"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"}),
     200],
    [qq({"value":"\xf0\x90\x80\x80"}), 200],
    [q({"value":"\uD800\uDC00\uDBFF\uDFFF"}), 200],
    [q({"value":"{\"a\":[1,]}//'"}), 200],
    [q({"value":"\\\\u0041"}), 200],
    [q({"value":"","key":"\ud83d\ude00","headers":[{"key":"\ud83d\ude00",
        "value":"\u0000"}]}), 200],
]
--- records
{"topic": "$TOPIC", "value": "\u0000"}
{"topic": "$TOPIC", "value": "a\u0000b"}
{"topic": "$TOPIC", "value": {"hex": "225c2f080c0a0d09"}}
{"topic": "$TOPIC", "value": {"hex": "c3a9e282acf09f9880"}}
{"topic": "$TOPIC", "value": {"hex": "c3a9e282acf09f9880"}}
{"topic": "$TOPIC", "value": {"hex": "e280a8e280a9"}}
{"topic": "$TOPIC", "value": {"hex": "e280a8e280a9"}}
{"topic": "$TOPIC", "value": {"hex": "efbbbfefbfbff48fbfbf"}}
{"topic": "$TOPIC", "value": {"hex": "7fc280dfbfe0a080ed9fbfee8080"}}
{"topic": "$TOPIC", "value": {"hex": "f0908080"}}
{"topic": "$TOPIC", "value": {"hex": "f0908080f48fbfbf"}}
{"topic": "$TOPIC", "value": "{\"a\":[1,]}//'"}
{"topic": "$TOPIC", "value": "\\u0041"}
{"topic": "$TOPIC", "value": "", "key": {"hex": "f09f9880"}, "headers": [{"hex": "f09f9880"}, "\u0000"]}



=== TEST 11: invalid UTF-8
--- cases eval
[
    map { [qq({"value":"a$_ b"}), 400, qr/UTF-8.*byte \d+/] }
        "\x80", "\xbf", "\xff", "\xfe", "\xc0\xaf", "\xc0\x80", "\xc1\xbf",
        "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbf\xbf",
        "\xed\xa0\xbd\xed\xb8\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xc3", "\xe2\x82",
        "\xe2", "\xf0\x9f\x98", "\xf0\x9f", "\xf0", "\xc3\xc3\xa9",
        "\xe2\x82\x41", "\xf0\x9f\x98\x41", "\xe9",
]
--- no_records: $TOPIC



=== TEST 12: invalid UTF-8 just before a quote, and in other strings
--- cases eval
[
    map { [$_, 400, qr/byte \d+/] }
        qq({"value":"\xc3"}), qq({"value":"\xe2\x82"}),
        qq({"value":"\xf0\x9f\x98"}), qq({"value":"v","key":"\xff"}),
        qq({"value":"v","headers":[{"key":"\xff","value":""}]}),
        qq({"value":"v","headers":[{"key":"k","value":"\xff"}]}),
        qq({"value":"v","x":"\xff"}), qq({"value":"v","\xff":1}),
        qq({"value":"v","x":["\xed\xa0\x80"]}), qq({"value":"\\\xff"}),
]
--- no_records: $TOPIC



=== TEST 13: lone surrogates
--- cases eval
[
    map { [qq({"value":"$_"}), 400, qr/surrogate.*byte \d+/] }
        '\ud800', '\udbff', '\udc00', '\udfff', 'a\ud800b', '\ud800 \udc00',
        '\ud800\ud800', '\ud800\ud800\udc00', '\udc00\ud800', '\ud800\u0041',
        '\ud800\n', '\ud800\\\\', '\ud800\\"', '\uD800\uE000', '\ud83d\ude00\ude00',
        '\ud83d\ud83d\ude00',
]
--- no_records: $TOPIC



=== TEST 14: lone surrogates in other strings
--- cases eval
[
    map { [$_, 400, qr/surrogate.*byte \d+/] }
        q({"value":"v","key":"\ud800"}), q({"value":"v","x":"\udc00"}),
        q({"value":"v","\ud800":1}), q({"value":"v","x":{"a":["\udc00"]}}),
        q({"value":"v","headers":[{"key":"\ud800","value":""}]}),
        q({"value":"v","headers":[{"key":"k","value":"\udc00"}]}),
]
--- no_records: $TOPIC



=== TEST 15: bad escapes and control characters
--- cases eval
[
    map { [qq({"value":"$_"}), 400, qr/byte \d+/] }
        '\x', '\a', '\0', '\\\'', '\v', '\U0041', '\u', '\u1', '\u12', '\u123',
        '\u12g4', '\u-123', '\u+123', '\u 123', '\u{41}', '\N', '\\' . "\n",
        "\0", "\x01", "\t", "\n", "\r", "\x1f", "\f",
]
--- no_records: $TOPIC



=== TEST 16: the limit of nesting
--- cases eval
[
    ['[{"x":' . '[' x 62 . ']' x 62 . ',"value":"a"}]', 200],
    ['{"x":' . '[' x 63 . ']' x 63 . ',"value":"b"}', 200],
    ['{"x":' . '{"y":' x 62 . '{}' . '}' x 62 . ',"value":"c"}', 200],
    ['[{"x":' . '[' x 63 . ']' x 63 . ',"value":"v"}]', 400,
     qr/64.*byte \d+/],
    ['{"x":' . '[' x 64 . ']' x 64 . ',"value":"v"}', 400, qr/64.*byte \d+/],
    ['{"x":' . '{"y":' x 63 . '{}' . '}' x 63 . ',"value":"v"}', 400,
     qr/64.*byte \d+/],
    ['{"value":"v","x":' . '[' x 64, 400, qr/64.*byte \d+/],
    ['[' x 100000, 400],
    ['{"x":' x 100000, 400],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}
{"topic": "$TOPIC", "value": "c"}



=== TEST 17: the byte is where the JSON broke
--- cases eval
[
    [q(x), 400, qr/byte [01]\b/],
    [q({"value":x}), 400, qr/byte (9|10)\b/],
    [q({"value":"v"}x), 400, qr/byte 1[34]\b/],
    [' ' x 5000 . q({"value":x}), 400, qr/byte 50(09|10)\b/],
    [q({"value":") . 'v' x 5000 . qq(\xff"}), 400, qr/byte 501[01]\b/],
    [q([{"value":"v"},,]), 400, qr/byte 1[56]\b/],
]
--- no_records: $TOPIC



=== TEST 18: an object in place of the array, and the reverse
--- cases eval
[
    [q({"0":{"value":"v"}}), 400, qr/message 0\b.*value/],
    [q({"value":{"value":"v"}}), 400, qr/message 0\b.*value/],
    [q({"messages":[{"value":"v"}]}), 400, qr/message 0\b.*value/],
    [q({"records":[{"value":"v"}]}), 400, qr/message 0\b.*value/],
]
--- no_records: $TOPIC



=== TEST 19: a chunked body
--- more_headers
Transfer-Encoding: chunked
--- request eval
"POST /produce/\$TOPIC
5\r\n[{\"va\r\n1\r\nl\r\n1b;x=y\r\nue\":\"\\ud83d\\ude00\",\"key\":\"\xc3\r\n"
. "4\r\n\xa9\"},\r\n1\r\n]\r\n0\r\n\r\n"
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": 1234}]
--- records
{"topic": "$TOPIC", "value": {"hex": "f09f9880"}, "key": {"hex": "c3a9"}}



=== TEST 20: the content type does not matter
--- request
POST /produce/$TOPIC
{"value":"v"}
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- json_body
[{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": 1234}]
--- records
{"topic": "$TOPIC", "value": "v"}
