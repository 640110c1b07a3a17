#!/usr/bin/python3
"""Requests that nobody would send in good faith."""

import collections
import os
import random
import select
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from faultcase import MockCase


# Requests that two servers might cut in different places.  Each has a second
# request inside, which must never be served.

INNER = (b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
         b'Content-Length: 17\r\n\r\n{"value":"inner"}')

SHAPES = {
    'length and chunked': b'Content-Length: 17\r\n'
        b'Transfer-Encoding: chunked\r\n\r\n11\r\n{"value":"outer"}\r\n'
        b'0\r\n\r\n' + INNER,
    'chunked and length': b'Transfer-Encoding: chunked\r\n'
        b'Content-Length: 4\r\n\r\n11\r\n{"value":"outer"}\r\n0\r\n\r\n'
        + INNER,
    'two lengths': b'Content-Length: 17\r\nContent-Length: 18\r\n\r\n'
        b'{"value":"outer"}' + INNER,
    'the same length twice': b'Content-Length: 17\r\nContent-Length: 17\r\n'
        b'\r\n{"value":"outer"}' + INNER,
    'a list of lengths': b'Content-Length: 17, 17\r\n\r\n{"value":"outer"}'
        + INNER,
    'a signed length': b'Content-Length: +17\r\n\r\n{"value":"outer"}'
        + INNER,
    'a negative length': b'Content-Length: -1\r\n\r\n{"value":"outer"}'
        + INNER,
    'a length beyond int64': b'Content-Length: 18446744073709551633\r\n\r\n'
        b'{"value":"outer"}' + INNER,
    'a hexadecimal length': b'Content-Length: 0x11\r\n\r\n{"value":"outer"}'
        + INNER,
    'chunked twice': b'Transfer-Encoding: chunked, chunked\r\n\r\n'
        b'11\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'two codings': b'Transfer-Encoding: gzip, chunked\r\n\r\n'
        b'11\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'two headers of codings': b'Transfer-Encoding: chunked\r\n'
        b'Transfer-Encoding: identity\r\n\r\n'
        b'11\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'an unknown coding': b'Transfer-Encoding: xchunked\r\n\r\n'
        b'11\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'a chunk of no number': b'Transfer-Encoding: chunked\r\n\r\n'
        b'zz\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'a negative chunk': b'Transfer-Encoding: chunked\r\n\r\n'
        b'-1\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'a chunk beyond int64': b'Transfer-Encoding: chunked\r\n\r\n'
        b'10000000000000011\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'a prefixed chunk': b'Transfer-Encoding: chunked\r\n\r\n'
        b'0x11\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
    'a chunk that is too short': b'Transfer-Encoding: chunked\r\n\r\n'
        b'10\r\n{"value":"outer"}\r\n0\r\n\r\n' + INNER,
}


class Hostile(MockCase):
    def test_smuggling_shapes(self):
        server = self.serve()
        self.warm(server)

        for shape, rest in SHAPES.items():
            with self.subTest(shape=shape), server.connect() as s:
                s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n' + rest)
                s.settimeout(5)
                data = b''
                try:
                    while (piece := s.recv(65536)):
                        data += piece
                except ConnectionResetError:
                    pass        # it was closed with bytes unread

                self.assertRegex(data, rb'^HTTP/1\.1 (400|501) ')
                self.assertEqual(data.count(b'HTTP/1.1 '), 1, data)

        self.assertEqual(self.values(), [])
        self.warm(server)

    def test_chunked_without_end(self):
        """Valid JSON, for ever: the size is the limit, and little is read."""

        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap),
            'location /produce { kafka_produce main;'
            ' client_max_body_size 100k; }')
        self.warm(server)
        item = b'{"value":"' + b'x' * 980 + b'"},'
        chunk = b'%x\r\n%s\r\n' % (len(item), item)

        with server.connect() as s:
            s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                      b'Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n')
            sent = 0
            try:
                while not select.select([s], [], [], 0.0005)[0] and sent < 1000:
                    s.sendall(chunk)
                    sent += 1
            except OSError:
                pass
            answer = kafkatest.read_response(s)

        self.assertRefused(answer, 413)
        self.assertLess(sent, 1000)
        self.assertEqual(self.values(), [])
        self.warm(server)

    def test_chunks_of_one_byte_and_long_extensions(self):
        """What is no body at all does not come for nothing either."""

        server = self.serve()
        body = b'{"value":"v"}'
        chunks = b''.join(b'1;%s\r\n%c\r\n' % (b'e' * 500, b) for b in body)
        answer = server.raw([
            b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
            b'Transfer-Encoding: chunked\r\n\r\n' + chunks
            + b'0\r\n\r\n'])
        self.assertIn(answer.status, (200, 400), answer)
        self.assertEqual(self.values(), ['v'] if answer.status == 200 else [])
        self.warm(server)

    def test_numbers_beyond_int64(self):
        server = self.serve()
        self.warm(server)

        for number in ('9223372036854775807', '9223372036854775808',
                       '-9223372036854775808', '-9223372036854775809',
                       '18446744073709551617', '1' + '0' * 1000,
                       '-1' + '0' * 1000, '1e400', '1e-400',
                       '0.' + '0' * 1000 + '1'):
            with self.subTest(number=number[:30]):
                answer = server.post(
                    '/produce/t', f'{{"value":"v","partition":{number}}}')
                self.assertRefused(answer, 400)
                self.assertIn('"partition"', answer.json['error'])

                # what is skipped may be any number that JSON knows

                answer = server.post(
                    '/produce/t', f'{{"value":"{number}","x":[{number}]}}')
                self.assertEqual(answer.status, 200, answer)

                if number == '9223372036854775807':
                    continue
                answer = server.post(
                    '/produce/t', f'{{"value":"v","timestamp":{number}}}')
                self.assertRefused(answer, 400)
                self.assertIn('"timestamp"', answer.json['error'])

        self.assertNotIn('v', self.values())

    def test_headers_of_any_bytes(self):
        server = self.serve()
        rand = random.Random(1)

        for _ in range(300):
            junk = bytes(rand.choice(b'\x00\x01\x09 :;,"\x7f\x80\xfe\xffaA0%/')
                         for _ in range(rand.randrange(1, 60)))
            with server.connect() as s:
                s.sendall(b'GET /produce/t/m HTTP/1.1\r\nHost: a\r\nConnection:'
                          b' close\r\nX: ' + junk + b'\r\nX' + junk
                          + b': y\r\n\r\n')
                s.settimeout(5)
                self.assertRegex(s.recv(100), b'^HTTP/1.1 (200|400) ')

        self.warm(server)

    def test_uri_of_any_bytes(self):
        server = self.serve()
        rand = random.Random(2)
        statuses = collections.Counter()

        for _ in range(1000):
            junk = bytes(rand.choice(b'/.%2Ff0aA?&=k+#;\\\x01\x7f\x80\xff')
                         for _ in range(rand.randrange(1, 40)))
            with server.connect() as s:
                s.sendall(b'GET /produce/' + junk + b' HTTP/1.1\r\nHost: a\r\n'
                          b'Connection: close\r\n\r\n')
                s.settimeout(5)
                status = s.recv(100)[9:12].decode()
                self.assertIn(status, ('200', '400', '404'), junk)
                statuses[status] += 1

        self.assertGreater(statuses['400'], 100)
        self.warm(server)


if __name__ == '__main__':
    kafkatest.unittest.main()
