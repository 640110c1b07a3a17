#!/usr/bin/python3
"""A body means the same wherever it is cut.

Each body is sent whole, and then so that nginx sees it in pieces of 1 to 31
bytes: by a body buffer of that size, by pauses between writes, as chunks.
Verdict and records must be those of the whole body.
"""

import collections
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest


SIZES = range(1, 32)

BODIES = {
    'plain': b'{"value":"hello_kafka"}',
    'array': b'[{"value":"a"},{"value":"b","key":""},{"value":""}]',
    'commas': b'[ {"value":"a",} , {"value":",]",\r\n"key":",}" , },\n]\n ',
    'fields': b'{"partition":0,"timestamp":1637745834744,"key":"city",'
              b'"value":"Istanbul","headers":[{"key":"a","value":"b"},'
              b'{"key":"c","value":null,},],"x":[1.5e+3,true,{"y":"z"}]}',
    'utf8': '{"value":"é€😀\\u00e9\\ud83d\\ude00\\u0000\\n\\"",'
            '"\\u006bey":"\u2028"}'.encode(),
    'none': b' [ ] ',

    'empty': b'  ',
    'comma': b'[{"value":"a"} , , {"value":"b"}]',
    'lone comma': b'[ , ]',
    'open': b'[{"value":"a"},{"value":"b"}',
    'second': b'{"value":"a"} {"value":"b"}',
    'second array': b'[{"value":"a"}] []',
    'overlong': b'[{"value":"a"},{"value":"\xc0\xaf"}]',
    'cut character': b'{"value":"\xf0\x9f\x98"}',
    'surrogate': b'{"value":"ab\\ud83dcd"}',
    'two surrogates': b'{"value":"\\ud83d\\ud83d\\ude00"}',
    'form feed': b'{"value":\f"a"}',
    'wrong type': b'[{"value":"a"},{"value":12345}]',
    'number': b'{"value":"a","partition":2147483648}',
    'word': b'{"value":"a","x":nulL}',
    'deep': b'{"x":' + b'[' * 64 + b']' * 64 + b',"value":"a"}',
}


def pieces(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def chunks(data, size):
    return [b'%x\r\n%s\r\n' % (len(p), p) for p in pieces(data, size)] + [
        b'0\r\n\r\n']


class Split(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.server = self.nginx(
            kafkatest.producer(self.broker.bootstrap),
            'location /produce { kafka_produce main; }\n' +
            '\n'.join(f'location /read{size} {{ kafka_produce main;'
                      f' client_body_buffer_size {size}; }}'
                      for size in SIZES))

        self.topics = {}
        for i, name in enumerate(BODIES):
            self.topics[name] = f'split-{i}'
            self.broker.command(f'topic {self.topics[name]} 1')

        self.whole = {name: self.verdict(name, [body])
                      for name, body in BODIES.items()}
        self.records = {name: self.read(name) for name in BODIES}

    def verdict(self, name, parts, location='produce', pause=0, chunked=False):
        length = ('Transfer-Encoding: chunked' if chunked else
                  f'Content-Length: {sum(map(len, parts))}')
        head = (f'POST /{location}/{self.topics[name]} HTTP/1.1\r\n'
                f'Host: localhost\r\nConnection: close\r\n'
                f'{length}\r\n\r\n').encode()

        with self.server.connect() as s:
            s.sendall(head)
            time.sleep(0.002)   # or the body is read with the head

            try:
                for part in parts:
                    s.sendall(part)
                    if pause:
                        time.sleep(pause)
            except (BrokenPipeError, ConnectionResetError):
                pass            # answered before the end: so be it

            answer = kafkatest.read_response(s)

        if answer.status == 200:
            return 200, len(answer.json)

        return answer.status, answer.json['error']

    def read(self, name):
        return [(r.key, r.value, r.headers) for r in
                kafkatest.read_topic(self.broker.bootstrap, self.topics[name])]

    def check(self, parts_of, **kwargs):
        """Sends every body in every size."""

        for name, body in BODIES.items():
            for size in SIZES:
                options = {k: v(size) if callable(v) else v
                           for k, v in kwargs.items()}
                with self.subTest(body=name, size=size):
                    self.assertEqual(
                        self.verdict(name, parts_of(body, size), **options),
                        self.whole[name])

            with self.subTest(body=name):
                self.assertEqual(self.read(name),
                                 self.records[name] * (1 + len(SIZES)))

    def test_whole(self):
        statuses = [self.whole[name][0] for name in BODIES]
        good = list(BODIES).index('empty')
        self.assertEqual(statuses,
                         [200] * good + [400] * (len(BODIES) - good))

        for name in list(BODIES)[good:]:
            self.assertEqual(self.records[name], [], name)

    def test_body_buffers(self):
        self.check(lambda body, size: [body],
                   location=lambda size: f'read{size}')

    def test_body_buffers_and_chunks(self):
        self.check(lambda body, size: chunks(body, 32 - size), chunked=True,
                   location=lambda size: f'read{size}')

    def test_slow_writes(self):
        self.check(pieces, pause=0.0005)

    def test_chunks(self):
        self.check(chunks, chunked=True)


class Long(kafkatest.TestCase):
    """One token in ten thousand pieces costs what it costs in one."""

    def check(self, name, token, value):
        broker = self.mock()
        broker.command('topic long 1')
        server = self.nginx(kafkatest.producer(broker.bootstrap),
                            'location /produce { kafka_produce main; }')
        pid, = server.worker_pids()
        body = b'{"value":' + value + b',"other":' + token + b'}'

        before = kafkatest.cpu_seconds(pid)

        with server.connect() as s:
            s.sendall(b'POST /produce/long HTTP/1.1\r\nHost: localhost\r\n'
                      b'Connection: close\r\nTransfer-Encoding: chunked\r\n'
                      b'\r\n')
            # nginx joins chunks of up to 128 bytes

            s.sendall(b''.join(chunks(body, 129)))
            answer = kafkatest.read_response(s)

        # the square of the length took some 20 s

        self.assertLess(kafkatest.cpu_seconds(pid) - before, 3, name)
        self.assertEqual(answer.status, 200, answer)

        record, = kafkatest.read_topic(broker.bootstrap, 'long')
        self.assertEqual(record.value.decode(), json.loads(value))

    def test_escapes(self):
        self.check('escapes', b'0', b'"' + b'\\u0041' * 150000 + b'"')

    def test_string(self):
        self.check('string', b'"' + b'a' * 900000 + b'"', b'"b"')

    def test_number(self):
        self.check('number', b'1' * 900000, b'"c"')


class Large(kafkatest.TestCase):
    """Strings so long that they are not copied do what short ones do."""

    BODIES = (
        '{"value":%s}', '{"key":%s,"value":"v"}', '{"value":"v","more":%s}',
        '{"value":"v",%s:1}', '{"value":"v","more":[{%s:[%s,%s]}]}',
        '{"value":%s,"value":"last"}', '{"value":"first","value":%s}',
        '{"value":"v","headers":[{"key":%s,"value":%s}]}',
        '[{"value":%s},{"key":%s,"value":%s},]', ' %s ', '[%s]',
        '{"value":"v"%s}', '{"value":%s,}x', '{"value":"v","partition":%s}',
        '{"topic":%s,"value":"v"}', '{"value":%s %s}', '{"value":1,"key":%s}',
    )

    def outcome(self, form, text, **options):
        """An answer, and what it made, with the text in short."""

        string = json.dumps(text, **options)
        answer = self.server.post('/produce/large',
                                  form.replace('%s', string).encode())
        error = ''
        if answer.status != 200:
            error = re.sub(r'byte \d{3,}', 'byte far behind',
                           answer.json['error'])
        records = kafkatest.read_topic(self.broker.bootstrap, 'large')
        made = [(r.key, r.value, r.headers) for r in records[self.read:]]
        self.read = len(records)

        return answer.status, error, repr(made).replace(
            repr(text.encode())[2:-1], 'TEXT').replace(repr(text)[1:-1], 'TEXT')

    def test_large(self):
        self.broker = self.mock()
        self.broker.command('topic large 1')
        self.server = self.nginx(kafkatest.producer(self.broker.bootstrap),
                                 'location /produce { kafka_produce main; }')
        self.read = 0
        statuses = collections.Counter()

        for form in self.BODIES:
            short = self.outcome(form, 'é"x' + ' ' * 200)
            statuses[short[0]] += 1
            for text in 'é' + 'x' * 100000, 'é"\n' + 'x' * 100000:
                for ascii_only in True, False:
                    with self.subTest(form=form, ascii_only=ascii_only,
                                      text=text[:5]):
                        self.assertEqual(self.outcome(
                            form, text, ensure_ascii=ascii_only), short)

        self.assertEqual(statuses, {200: 9, 400: 8})


if __name__ == '__main__':
    kafkatest.unittest.main()
