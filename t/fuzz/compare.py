#!/usr/bin/env python3
"""Holds the module's JSON path against Python's json.

    compare.py PROGRAM [COUNT] [SEED]

PROGRAM is json.c compiled with -DNGX_KAFKA_FUZZ_PRINT. COUNT bodies (20000),
made from good ones by chance, go to both; they must agree on each body's
verdict and on every record.
"""

import json
import random
import re
import subprocess
import sys

DEPTH = 64
TOPIC = re.compile(r'[A-Za-z0-9._-]{1,249}\Z')
# A comma after a value and before a bracket, with strings passed over.
TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|(?<=[^\s\[{,:])([ \t\n\r]*),'
                      r'(?=[ \t\n\r]*[\]}])', re.S)

SEEDS = [
    '{"topic":"t","value":"v"}',
    '[{"topic":"t","partition":1,"timestamp":1637745834744,"key":"k",'
    '"value":"v","headers":[{"key":"a","value":"b"},{"key":"c","value":null}]},'
    ' {"topic":"u","value":"",},]',
    '[]',
    '{"topic":"t","value":"\\u0000\\ud83d\\ude00\\n\u2028 \U0001F600",'
    '"x":{"y":[1,-2.5e3,true,false,null,"z"]}}',
    '[{"value":"x","topic":"a.b-c_d","key":null,"headers":[],'
    '"partition":null}\n,\t{"topic":"t","value":"1","value":"2"}]',
]
PARTS = ['"', '\\', ',', ']', '}', '[', '{', ':', ' ', '\n', '\f', '\v', '\0',
         '0', '1', '-', '.', 'e', 'null', 'true', '\\u', 'd800', 'dc00',
         '\\ud83d\\ude00', '"value"', '"topic"', '"key"', '"headers"',
         '"partition"', '"timestamp"', '2147483647', '2147483648',
         '9223372036854775807', '9223372036854775808', '01', '\u00e9', ',,',
         ',]', ',}', '[,]', '""', '"t"', '\x7f', '\x1f']
BYTES = [b'\x80', b'\xc0\xaf', b'\xed\xa0\x80', b'\xf5', b'\xe2\x82', b'\xff',
         b'\xef\xbb\xbf', b'\xf4\x90\x80\x80', b'\xe0\x80\x80']


class Refused(Exception):
    pass


def no_constant(name):
    raise Refused(name)


def strict(body):
    """The body as Python sees it, by the contract's rules of JSON."""
    try:
        text = body.decode('utf-8')
    except UnicodeDecodeError as e:
        raise Refused(e)
    text = TRAILING.sub(lambda m: m.group(1) or m.group(2), text)
    depth, pairs = 0, []
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text, re.S):
        if token.group() in '[{':
            depth += 1
            if depth > DEPTH:
                raise Refused('depth')
        elif token.group() in ']}':
            depth -= 1
    try:
        document = json.loads(text, parse_constant=no_constant,
                              parse_int=lambda s: ('int', s),
                              parse_float=lambda s: ('float', s),
                              object_pairs_hook=lambda p: ('object', p))
    except (ValueError, RecursionError) as e:
        raise Refused(e)
    surrogates(document)
    return document


def surrogates(value):
    if isinstance(value, str):
        if any('\ud800' <= c <= '\udfff' for c in value):
            raise Refused('surrogate')
    elif isinstance(value, (list, tuple)):
        for v in value:
            surrogates(v)


def kind(value):
    return value[0] if isinstance(value, tuple) else None


def integer(value, low, high):
    if value is None:
        return None
    if kind(value) != 'int' or value[1].startswith('-'):
        raise Refused('integer')
    if not low <= int(value[1]) <= high:
        raise Refused('range')
    return int(value[1])


def text(value, null):
    if value is None and null:
        return None
    if not isinstance(value, str):
        raise Refused('string')
    return value.encode()


def headers(value):
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused('headers')
    made = []
    for h in value:
        if kind(h) != 'object':
            raise Refused('header')
        h = dict(h[1])
        if 'value' not in h:
            raise Refused('header value')
        made.append((text(h.get('key'), False), text(h['value'], True)))
    return made


def record(message):
    if kind(message) != 'object':
        raise Refused('message')
    m = dict(message[1])
    partition = integer(m.get('partition'), 0, 2**31 - 1)
    timestamp = integer(m.get('timestamp'), 1, 2**63 - 1)
    key, value = text(m.get('key'), True), text(m.get('value'), False)
    topic = m.get('topic')
    made = headers(m.get('headers'))
    if not isinstance(topic, str) or not TOPIC.match(topic) \
            or topic in ('.', '..'):
        raise Refused('topic')
    return topic, partition, timestamp, key, value, made


def expected(body):
    try:
        document = strict(body)
        if kind(document) == 'object':
            document = [document]
        if not isinstance(document, list):
            raise Refused('body')
        records = [record(m) for m in document]
    except Refused:
        return 'refused'

    def show(b):
        return 'null' if b is None else 'x' + b.hex()
    out = 'taken'
    for topic, partition, timestamp, key, value, hs in records:
        out += ' record topic:%s partition:%d timestamp:%d key:%s value:%s' % (
            show(topic.encode()), -1 if partition is None else partition,
            timestamp or 0, show(key), show(value))
        for k, v in hs:
            out += ' header:%s to:%s' % (show(k), show(v))
    return out


def mutate(rng):
    body = rng.choice(SEEDS).encode()
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3, 6])):
        at = rng.randrange(len(body) + 1)
        to = min(len(body), at + rng.choice([0, 0, 1, 1, 2, 5]))
        new = rng.choice(PARTS).encode() if rng.random() < .9 \
            else rng.choice(BYTES)
        if rng.random() < .2:
            new = b''
        if rng.random() < .1:
            other = rng.choice(SEEDS).encode()
            a = rng.randrange(len(other))
            new = other[a:a + rng.randrange(20)]
        body = body[:at] + new + body[to:]
    if rng.random() < .01:
        n = rng.choice([61, 62, 63, 64, 65])
        body = b'{"topic":"t","value":"v","x":' + b'[' * n + b']' * n + b'}'
    return body


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    differ = taken = 0
    with subprocess.Popen([program], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        for _ in range(count):
            body = mutate(rng)
            p.stdin.write(b'%d %d\n' % (len(body), rng.randrange(1, 40)))
            p.stdin.write(body)
            p.stdin.flush()
            got = p.stdout.readline().decode('utf-8', 'replace').strip()
            want = expected(body)
            taken += want != 'refused'
            if got.split(' ')[0] == 'refused' and want == 'refused':
                continue
            if got != want:
                differ += 1
                if differ <= 10:
                    print('body %r\n  module %s\n  python %s' %
                          (body, got, want))
    print('%d bodies, %d taken by both, %d differ' % (count, taken, differ))
    sys.exit(1 if differ or p.returncode or not taken else 0)


if __name__ == '__main__':
    main()
