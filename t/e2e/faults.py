#!/usr/bin/python3
"""Faults of clients, of nginx's processes, of brokers and of the way to them:
what docs/faults.md says, as far as other files do not show it.
"""

import collections
import concurrent.futures
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock

import confluent_kafka
import confluent_kafka.admin

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for
from life import Waiting


RESET = struct.pack('ii', 1, 0)         # SO_LINGER: close with RST


class FaultCase(kafkatest.TestCase):
    def assertRefused(self, answer, status, persisted=None, code=None):
        """An error of the API, its results' fates and codes as expected."""

        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.json['status'], status)
        self.assertTrue(answer.json['error'])

        if status == 503:
            self.assertGreater(int(answer.headers['Retry-After']), 0)

        results = answer.json.get('results', [])
        if persisted is None:
            self.assertEqual(results, [])
        else:
            self.assertEqual({r['persisted'] for r in results}, {persisted})
        if code is not None:
            self.assertEqual({r['code'] for r in results}, {code})

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def truncate_log(self, server, *expected):
        """For lines that other tests would not forgive."""

        for text in expected:
            self.assertIn(text, server.log())
        with open(server.log_path, 'w', encoding='ascii'):
            pass

    def assertIdle(self, server, share=0.05):
        pid, = server.worker_pids()
        before = kafkatest.cpu_seconds(pid)
        time.sleep(2)
        self.assertLess(kafkatest.cpu_seconds(pid) - before, 2 * share)


class MockCase(FaultCase):
    brokers = 1

    def setUp(self):
        self.broker = self.mock(self.brokers)
        self.broker.command('topic t 1')

    def serve(self, *properties, http='', **kwargs):
        return self.nginx(
            kafkatest.producer(self.broker.bootstrap, *properties) + http,
            **kwargs)

    def warm(self, server, topic='t'):
        answer = server.get(f'/produce/{topic}/warm')
        self.assertEqual(answer.status, 200, answer)

    def values(self, topic='t'):
        return [r.value.decode() for r in
                kafkatest.read_topic(self.broker.bootstrap, topic)
                if r.value != b'warm']

    def slow(self, milliseconds):
        self.broker.command(f'rtt -1 {milliseconds}')


# HTTP/2 by hand: what common clients would never send

DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4


class Http2:
    def __init__(self, server):
        self.socket = server.connect()
        self.socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
        self.frame(SETTINGS, 0, 0)
        self.buffer = b''
        self.body = collections.defaultdict(bytes)
        self.ended = set()

    def frame(self, kind, flags, stream, payload=b''):
        self.socket.sendall(struct.pack('>I', len(payload))[1:]
                            + bytes([kind, flags]) + struct.pack('>I', stream)
                            + payload)

    def request(self, stream, method, path, end=True):
        fields = {':method': method, ':path': path, ':scheme': 'http',
                  ':authority': 'a'}
        block = b''.join(
            b'\0' + bytes([len(name)]) + name.encode()
            + bytes([len(value)]) + value.encode()
            for name, value in fields.items())
        self.frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                   block)

    def reset(self, stream):
        self.frame(RST_STREAM, 0, stream, struct.pack('>I', 8))     # CANCEL

    def read(self, stream):
        """A stream's body, once it has ended."""

        while stream not in self.ended:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + self.length():
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError(f'closed before stream {stream} ended')
                self.buffer += data

            length = self.length()
            kind, flags = self.buffer[3], self.buffer[4]
            number, = struct.unpack('>I', self.buffer[5:9])
            payload = self.buffer[9:9 + length]
            self.buffer = self.buffer[9 + length:]

            if kind == DATA:
                self.body[number] += payload
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                self.ended.add(number)

        return self.body[stream]

    def length(self):
        return int.from_bytes(self.buffer[:3], 'big')

    def close(self):
        self.socket.close()


class Clients(MockCase):
    def test_half_closed_while_it_waits(self):
        """nginx takes it for gone, as it does everywhere."""

        server = self.serve()
        self.warm(server)
        self.slow(500)

        with server.connect() as s:
            s.sendall(b'GET /produce/t/half HTTP/1.1\r\nHost: a\r\n\r\n')
            time.sleep(0.1)
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(s.recv(1000), b'')

        wait_for(lambda: '/produce/t/half HTTP/1.1" 499' in
                 server.access_log(), 5, 'a line in the access log')
        time.sleep(0.6)
        self.slow(0)
        self.assertEqual(self.values(), ['half'])

    def test_half_closed_within_the_body(self):
        server = self.serve()
        self.warm(server)

        with server.connect() as s:
            s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Length: 30\r\n\r\n{"value":"cut"}')
            time.sleep(0.1)
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

    def http2(self):
        """A server that knows the topic, and a client whose stream 1 is used.
        """

        server = self.serve(listen='http2')
        client = Http2(server)
        self.addCleanup(client.close)
        client.request(1, 'GET', '/produce/t/warm')
        self.assertIn('offset', json.loads(client.read(1)))
        return server, client

    def test_http2_streams_reset_while_they_wait(self):
        server, client = self.http2()
        pid = server.worker_pids()
        self.slow(300)

        streams = range(3, 203, 2)
        for stream in streams:
            client.request(stream, 'GET', f'/produce/t/{stream}')
        time.sleep(0.1)
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
        time.sleep(0.1)
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
        self.assertLess(kafkatest.rss_bytes(pid) - before, 8 << 20)
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


class Processes(MockCase):
    def test_worker_killed(self):
        server = self.serve()
        self.warm(server)
        self.slow(2000)
        waiting = [Waiting(server, f'/produce/t/{i}') for i in range(5)]
        time.sleep(0.3)

        old, = server.worker_pids()
        os.kill(old, signal.SIGKILL)
        for w in waiting:
            with self.assertRaises(OSError):    # RemoteDisconnected is one
                w.answer()

        self.slow(0)
        wait_for(lambda: server.worker_pids() not in ([], [old]), 5,
                 'another worker')
        self.assertEqual(server.get('/produce/t/after').status, 200)
        values = self.values()
        self.assertIn('after', values)
        self.assertEqual(len(values), len(set(values)))
        self.truncate_log(server, f'worker process {old} exited on signal 9')

    def check_shutdown_timeout(self, number):
        server = self.serve(main='worker_shutdown_timeout 1s;')
        self.warm(server)
        self.slow(6000)
        waiting = [Waiting(server, '/produce/t', json.dumps({'value': str(i)}))
                   for i in range(5)]
        time.sleep(0.3)

        start = time.monotonic()
        server.kill(number)
        for w in waiting:
            self.assertRefused(w.answer(), 504, 'maybe', '_MSG_TIMED_OUT')
        self.assertLess(time.monotonic() - start, 3)
        self.slow(0)

        return server

    def test_shutdown_timeout_on_quit(self):
        server = self.check_shutdown_timeout(signal.SIGQUIT)
        self.assertEqual(server.wait(), 0)

    def test_shutdown_timeout_on_reload(self):
        server = self.check_shutdown_timeout(signal.SIGHUP)
        self.warm(server)

    def test_shutdown_timeout_while_topics_are_looked_up(self):
        """Nothing was sent, and the caller is told."""

        server = self.serve(main='worker_shutdown_timeout 1s;')
        self.broker.command('down -1')
        waiting = Waiting(server, '/produce/t/m')
        time.sleep(0.3)
        server.kill(signal.SIGQUIT)
        answer = waiting.answer()
        self.assertRefused(answer, 503)
        self.assertIn('going away', answer.json['error'])
        self.assertEqual(server.wait(), 0)

    def test_cache_processes_have_no_producer(self):
        server = self.serve(
            http=f'\nproxy_cache_path {self.folder()} keys_zone=z:1m;')
        self.warm(server)

        names = {}
        for pid in children(server.process.pid):
            names[kafkatest.title(pid)] = threads(pid)

        self.assertEqual(set(names), {'nginx: worker process',
                                      'nginx: cache manager process',
                                      'nginx: cache loader process'})
        for title, found in names.items():
            self.assertEqual(any(name.startswith('rdk:') for name in found),
                             title == 'nginx: worker process', found)

    def test_reload_removes_a_producer(self):
        locations = ('location /produce { kafka_produce main; }'
                     'location /other/produce { kafka_produce other; }')
        both = kafkatest.producer(self.broker.bootstrap)
        both += both.replace('main', 'other')
        server = self.nginx(both, locations)
        self.warm(server)
        self.assertEqual(server.get('/other/produce/t/a').status, 200)

        self.slow(500)
        waiting = [Waiting(server, f'/other/produce/t/{i}') for i in range(5)]
        time.sleep(0.2)
        server.write(kafkatest.producer(self.broker.bootstrap),
                     'location /produce { kafka_produce main; }')
        server.reload()
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)

        self.slow(0)
        self.warm(server)
        self.assertEqual(server.get('/other/produce/t/b').status, 404)
        self.assertEqual(sorted(self.values()), [*'01234', 'a'])


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
        return [int(child) for child in f.read().split()]


def threads(pid):
    names = []
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/comm', encoding='ascii') as f:
            names.append(f.read().strip())
    return names


if __name__ == '__main__':
    kafkatest.unittest.main()
