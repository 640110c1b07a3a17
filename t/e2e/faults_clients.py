#!/usr/bin/python3
"""Clients that are slow, leave or break off."""

import collections
import concurrent.futures
import json
import os
import random
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from faultcase import MockCase
from http2 import DATA, END_STREAM, Http2, Http2Nginx
from kafkatest import wait_for


RESET = struct.pack('ii', 1, 0)         # SO_LINGER: close with RST


class Clients(MockCase):
    def test_half_closed_while_it_waits(self):
        """nginx takes it for gone, as it does everywhere."""

        server = self.serve()
        self.warm(server)
        self.slow(500)

        with server.connect() as s:
            s.sendall(b'GET /produce/t/half HTTP/1.1\r\nHost: a\r\n\r\n')
            server.wait_for_requests(1)
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(s.recv(1000), b'')

        wait_for(lambda: '/produce/t/half HTTP/1.1" 499' in
                 server.access_log(), 5, 'a line in the access log')
        self.wait_for_acknowledged(server, 2)
        self.slow(0)
        self.assertEqual(self.values(), ['half'])

    def test_half_closed_within_the_body(self):
        server = self.serve()
        self.warm(server)

        with server.connect() as s:
            s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Length: 30\r\n\r\n{"value":"cut"}')
            wait_for(lambda: server.has_read(s), what='it is read')
            s.shutdown(socket.SHUT_WR)
            self.assertIn(s.recv(1000)[:12], (b'', b'HTTP/1.1 400'))

        self.assertEqual(self.values(), [])
        self.warm(server)

    def test_one_byte_at_a_time(self):
        server = self.serve()
        body = b'[{"value":"slow"},{"value":"\xc3\xa9"},]'
        request = (b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                   b'Content-Length: %d\r\n\r\n' % len(body)) + body
        answer = server.raw([bytes([b]) for b in request], pause=0.002)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.values(), ['slow', 'é'])

    def pipeline(self, server, *bodies):
        """Statuses of requests that were all sent at once."""

        statuses = []

        with server.connect() as s:
            s.sendall(b''.join(
                b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                b'Content-Length: %d\r\n\r\n%s' % (len(b), b)
                for b in bodies))
            file = s.makefile('rb')

            for _ in bodies:
                line = file.readline()
                if not line:
                    break
                statuses.append(int(line.split()[1]))
                length = 0
                while (line := file.readline().strip()):
                    name, _, value = line.lower().partition(b':')
                    if name == b'content-length':
                        length = int(value)
                json.loads(file.read(length))

        return statuses

    def test_pipelined_with_a_bad_one(self):
        """The bad one is answered in its turn; what follows is served, or
        not begun."""

        server = self.serve()
        self.assertEqual(
            self.pipeline(server, b'{"value":"a"}', b'{"value":1}   ',
                          b'{"value":"b"}'), [200, 400, 200])
        self.assertEqual(self.values(), ['a', 'b'])

        # a body that is not read to its end is never taken for a request

        inner = (b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                 b'Content-Length: 17\r\n\r\n{"value":"inner"}')
        self.assertEqual(
            self.pipeline(server, b'{"value":"c"}', b'{"value":1}!' + inner),
            [200, 400])
        self.assertEqual(self.values(), ['a', 'b', 'c'])

    def test_pipelined_behind_one_that_waits(self):
        """It is begun once the first one has its answer, and not at all if
        the client has left by then."""

        server = self.serve()
        self.warm(server)
        self.slow(700)

        with server.connect() as s:
            start = time.monotonic()
            s.sendall(b'GET /produce/t/1 HTTP/1.1\r\nHost: a\r\n\r\n'
                      b'GET /produce/t/2 HTTP/1.1\r\nHost: a\r\n\r\n')
            for offset in 1, 2:
                answer = kafkatest.read_response(s)
                self.assertEqual(answer.json['offset'], offset, answer)
                self.assertGreater(time.monotonic() - start, 0.7 * offset)

        with server.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.sendall(b'GET /produce/t/3 HTTP/1.1\r\nHost: a\r\n\r\n'
                      b'GET /produce/t/4 HTTP/1.1\r\nHost: a\r\n\r\n')
            server.wait_for_requests(1)

        self.wait_for_acknowledged(server, 4)
        self.slow(0)
        self.warm(server)
        self.assertEqual(self.values(), ['1', '2', '3'])

    def http2(self):
        """A server that knows the topic, and a client whose stream 1 is used.
        """

        server = self.start(Http2Nginx(
            kafkatest.producer(self.broker.bootstrap), kafkatest.SERVER,
            listen='http2'))
        client = Http2(server)
        self.addCleanup(client.close)
        client.request(1, 'GET', '/produce/t/warm')
        self.assertIn('offset', json.loads(client.read(1)))
        return server, client

    def test_http2_one_byte_at_a_time(self):
        """Two streams, their bytes in turn."""

        _, client = self.http2()
        body = '[{"value":"slow"},{"value":"é"},]'.encode()

        for stream in 3, 5:
            client.request(stream, 'POST', '/produce/t', end=False)
        for i, byte in enumerate(body):
            end = END_STREAM if i == len(body) - 1 else 0
            for stream in 3, 5:
                client.frame(DATA, end, stream, bytes([byte]))
            time.sleep(0.005)   # the pace of the client

        for stream in 3, 5:
            self.assertEqual(len(json.loads(client.read(stream))), 2)
        self.assertEqual(sorted(self.values()), ['slow', 'slow', 'é', 'é'])

    def test_http2_streams_reset_while_they_wait(self):
        server, client = self.http2()
        pid = server.worker_pids()
        self.slow(300)

        streams = range(3, 203, 2)
        for stream in streams:
            client.request(stream, 'GET', f'/produce/t/{stream}')
        server.wait_for_requests(len(streams))
        for stream in streams[:-1]:
            client.reset(stream)

        self.assertIn('offset', json.loads(client.read(streams[-1])))

        # each was complete, so each is there, once

        self.slow(0)
        wait_for(lambda: len(self.values()) == len(streams), 5, 'all records')
        self.assertEqual(sorted(map(int, self.values())), list(streams))
        self.assertEqual(server.access_log().count('" 499 '),
                         len(streams) - 1)
        self.assertEqual(server.worker_pids(), pid)

    def test_http2_streams_reset_within_their_bodies(self):
        server, client = self.http2()
        pid = server.worker_pids()

        for stream in range(3, 103, 2):
            client.request(stream, 'POST', '/produce/t', end=False)
            client.frame(DATA, 0, stream, b'[{"value":"cut"},')
            if stream % 4 == 1:
                client.frame(DATA, 0, stream, b'{"value":"cut"}]')
            client.reset(stream)

        client.request(103, 'POST', '/produce/t', end=False)
        client.frame(DATA, END_STREAM, 103, b'[{"value":"whole"}]')
        self.assertIn('offset', json.loads(client.read(103))[0])

        self.assertEqual(self.values(), ['whole'])
        self.assertEqual(server.worker_pids(), pid)

    def test_http2_connection_lost(self):
        server, client = self.http2()
        self.slow(300)

        for stream in range(3, 23, 2):
            client.request(stream, 'GET', f'/produce/t/{stream}')
        server.wait_for_requests(10)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

        self.slow(0)
        wait_for(lambda: sorted(map(int, self.values()))
                 == list(range(3, 23, 2)), 5, 'all records')

        again = Http2(server)
        self.addCleanup(again.close)
        again.request(1, 'GET', '/produce/t/warm')
        self.assertIn('offset', json.loads(again.read(1)))

    def storm(self, server, numbers, topic='storm'):
        """Requests that are cut anywhere, in half of them after their end; the
        numbers of those that were sent whole."""

        whole = set()

        def one(number):
            rand = random.Random(number)
            body = json.dumps([{'value': f'{number}-{i}'} for i in range(4)])
            request = (f'POST /produce/{topic} HTTP/1.1\r\nHost: a\r\n'
                       f'Content-Length: {len(body)}\r\n\r\n{body}').encode()
            size = len(request)

            if rand.random() < 0.5:
                size = rand.randrange(1, size)
            else:
                whole.add(number)

            with server.connect() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                s.sendall(request[:size])
                time.sleep(rand.random() * 0.008)

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            list(pool.map(one, numbers))

        return whole

    def test_storm_of_ten_thousand(self):
        self.broker.command('topic storm 4')
        server = self.serve()
        self.warm(server, 'storm')
        self.slow(5)
        pid, = server.worker_pids()

        whole = self.storm(server, range(2000))
        before = kafkatest.rss_bytes(pid)
        whole |= self.storm(server, range(2000, 10000))
        self.slow(0)
        self.warm(server, 'storm')

        self.assertEqual(server.worker_pids(), [pid])
        self.assertGrowth(pid, before, 8 << 20)
        self.assertIdle(server)

        # all of a request or nothing, never twice; and of a cut one, nothing

        found = collections.defaultdict(list)
        for value in self.values('storm'):
            number, _, i = value.partition('-')
            found[int(number)].append(i)

        self.assertLessEqual(set(found), whole)
        self.assertGreater(len(found), 1000)
        self.assertEqual({tuple(sorted(i)) for i in found.values()},
                         {('0', '1', '2', '3')})


if __name__ == '__main__':
    kafkatest.unittest.main()
