#!/usr/bin/python3
"""Faults of clients, of nginx's processes, of brokers and of the way to them:
what docs/faults.md says, as far as other files do not show it.
"""

import collections
import concurrent.futures
import itertools
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
import unittest

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

    def other_ca(self):
        """A folder with a CA that signed nothing: ca.pem, ca.key."""

        folder = self.folder()
        os.chmod(folder, 0o755)
        openssl(folder, 'req -x509 -newkey ec -pkeyopt'
                ' ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=other'
                ' -keyout ca.key -out ca.pem')
        return folder

    def truncate_log(self, server, *expected):
        """For lines that other tests would not forgive."""

        for text in expected:
            self.assertIn(text, server.log())
        with open(server.log_path, 'w', encoding='ascii'):
            pass

    def assertIdle(self, server, share=0.05):
        pid, = server.worker_pids()
        before = kafkatest.cpu_seconds(pid)
        time.sleep(2)           # measured
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

    def wait_for_acknowledged(self, server, count):
        """Until Kafka has so many messages, and none is on its way."""

        def main():
            status = server.status()
            return (status['messages_acknowledged'], status['messages_unsent'],
                    status['messages_pending'])

        wait_for(lambda: main() == (count, 0, 0),
                 what=f'{count} messages are acknowledged')


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


class Http2Nginx(kafkatest.Nginx):
    """Its port is for HTTP/2 alone."""

    def get(self, target):
        client = Http2(self)
        try:
            client.request(1, 'GET', target)
            return kafkatest.Response(None, None, client.read(1))
        finally:
            client.close()


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


class Processes(MockCase):
    def test_worker_killed(self):
        server = self.serve()
        self.warm(server)
        self.slow(2000)
        waiting = [Waiting(server, f'/produce/t/{i}') for i in range(5)]
        server.wait_for_requests(5)

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
        server.wait_for_requests(5)

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
        server.wait_for_requests(1)
        server.kill(signal.SIGQUIT)
        answer = waiting.answer()
        self.assertRefused(answer, 503)
        self.assertIn('shutting down', answer.json['error'])
        self.assertEqual(server.wait(), 0)

    @unittest.skipIf(os.geteuid() != 0, 'root alone reads what others cannot')
    def test_ca_folder_that_workers_cannot_read(self):
        """A worker whose client cannot be made answers, and tries again."""

        folder = self.other_ca()
        os.chmod(folder, 0o700)
        os.mkdir(f'{folder}/certs')
        server = self.serve('security.protocol ssl',
                            f'ssl.ca.location {folder}/certs',
                            'message.timeout.ms 1000',
                            user='www-data')
        pid = server.worker_pids()

        def tries():
            self.assertRefused(server.get('/produce/t/m'), 503)
            return server.log().count('could not be made')

        wait_for(lambda: tries() > 1, 5, 'it tries again')
        self.assertEqual(server.worker_pids(), pid)
        os.chmod(folder, 0o755)

        # by TLS to a mock without it

        wait_for(lambda: 'could not be started' not in
                 server.get('/produce/t/m').json['error'], 5, 'it is made')

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
        locations = (kafkatest.SERVER +
                     'location /other/produce { kafka_produce other; }')
        both = kafkatest.producer(self.broker.bootstrap)
        both += both.replace('main', 'other')
        server = self.nginx(both, locations)
        self.warm(server)
        self.assertEqual(server.get('/other/produce/t/a').status, 200)

        self.slow(500)
        waiting = [Waiting(server, f'/other/produce/t/{i}') for i in range(5)]
        server.wait_for_requests(5, 'other')
        server.write(kafkatest.producer(self.broker.bootstrap),
                     'location /produce { kafka_produce main; }')
        server.reload()
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)

        self.slow(0)
        self.warm(server)
        self.assertEqual(server.get('/other/produce/t/b').status, 404)
        self.assertEqual(sorted(self.values()), [*'01234', 'a'])


# What becomes of a message whose Produce request gets that error from the
# broker.  What is in none of these tables is a 500, which no retry helps.

PERMANENT = {
    'POLICY_VIOLATION': 400,
    'INVALID_TIMESTAMP': 400,
    'INVALID_RECORD': 400,
    'TOPIC_EXCEPTION': 400,
    'TOPIC_AUTHORIZATION_FAILED': 403,
    'CLUSTER_AUTHORIZATION_FAILED': 403,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED': 403,
    'MSG_SIZE_TOO_LARGE': 413,
    'RECORD_LIST_TOO_LARGE': 413,
    'SASL_AUTHENTICATION_FAILED': 503,
    'UNSUPPORTED_SASL_MECHANISM': 503,
    'ILLEGAL_SASL_STATE': 503,
    'DELEGATION_TOKEN_EXPIRED': 503,
    'INVALID_MSG': 500,
}

# a broker that answers so may have the message all the same

UNCERTAIN = ('NETWORK_EXCEPTION', 'FENCED_LEADER_EPOCH', 'UNKNOWN_TOPIC_ID',
             'INCONSISTENT_TOPIC_ID', 'OUT_OF_ORDER_SEQUENCE_NUMBER')

# a second try of the message can succeed

RETRIABLE = ('INVALID_MSG', 'NETWORK_EXCEPTION', 'FENCED_LEADER_EPOCH',
             'UNKNOWN_LEADER_EPOCH', 'THROTTLING_QUOTA_EXCEEDED',
             'STALE_CTRL_EPOCH', 'NOT_CONTROLLER', 'LOG_DIR_NOT_FOUND',
             'REASSIGNMENT_IN_PROGRESS', 'STALE_BROKER_EPOCH',
             'OFFSET_NOT_AVAILABLE', 'PREFERRED_LEADER_NOT_AVAILABLE',
             'ELIGIBLE_LEADERS_NOT_AVAILABLE', 'CONCURRENT_TRANSACTIONS',
             'OUT_OF_ORDER_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH',
             'INVALID_PRODUCER_ID_MAPPING', 'PRODUCER_FENCED',
             'UNKNOWN_TOPIC_ID', 'INCONSISTENT_TOPIC_ID')

# librdkafka tries again until the deadline, and does not say how each attempt
# ended: a deposed leader may have had the message

RETRIED = [
    'UNKNOWN_TOPIC_OR_PART',
    'LEADER_NOT_AVAILABLE',
    'NOT_LEADER_FOR_PARTITION',
    'BROKER_NOT_AVAILABLE',
    'REPLICA_NOT_AVAILABLE',
    'COORDINATOR_LOAD_IN_PROGRESS',
    'COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR',
    'NOT_ENOUGH_REPLICAS',
    'KAFKA_STORAGE_ERROR',
    'UNKNOWN_PRODUCER_ID',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'REQUEST_TIMED_OUT',
]

if confluent_kafka.libversion()[1] >= 0x02040000:
    RETRIED.append('INVALID_MSG')


class Brokers(MockCase):
    brokers = 3

    def test_every_produce_error(self):
        """Each error code of Kafka's, for a request of one message."""

        names = [name for name in
                 (confluent_kafka.KafkaError(i).name() for i in range(1, 120))
                 if not name.startswith('ERR_')]
        self.assertLessEqual({*PERMANENT, *RETRIED}, {*names})
        self.assertFalse({*PERMANENT} & {*UNCERTAIN})

        # a new client's first message takes librdkafka 2.10 up to a second

        lanes = 12
        mocks = [self.mock() for _ in range(lanes)]
        server = self.nginx(
            '\n'.join(kafkatest.producer(
                mock.bootstrap, 'message.timeout.ms 2000')
                .replace('main', f'lane{i}') for i, mock in enumerate(mocks)),
            '\n'.join(f'location /{i}/produce {{ kafka_produce lane{i}; }}'
                      for i in range(lanes)))
        answers = {}

        def run(lane):
            mocks[lane].command('topic t 1')
            for name in names[lane::lanes]:
                wait_for(lambda: server.get(f'/{lane}/produce/t/m').status
                         == 200, 10, f'all is well before {name}')
                mocks[lane].command(f'fail 0 {name} 1000')
                answers[name] = server.post(f'/{lane}/produce/t',
                                            [{'value': 'v'}])
                mocks[lane].command('clear 0')

        with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
            list(pool.map(run, range(lanes)))

        for name, answer in answers.items():
            with self.subTest(name=name):
                self.check_produce_error(name, answer)

    def check_produce_error(self, name, answer):
        if name == 'DUPLICATE_SEQUENCE_NUMBER':
            self.assertEqual(answer.status, 200, answer)
            self.assertIsNone(answer.json[0]['offset'])
            return

        if name in RETRIED:
            self.assertRefused(answer, 504, 'maybe', '_MSG_TIMED_OUT')
            return

        if name in UNCERTAIN:
            self.assertRefused(answer, 504, 'maybe', name)

        else:
            self.assertRefused(
                answer, 503 if name in RETRIABLE and name != 'INVALID_MSG'
                else PERMANENT.get(name, 500), 'no', name)

        self.assertEqual(answer.json['results'][0]['retriable'],
                         name in RETRIABLE)

    def test_duplicates_have_no_offset(self):
        """A broker that has the batch already does not tell where."""

        server = self.serve('linger.ms 100')
        self.warm(server)
        self.broker.command('fail 0 DUPLICATE_SEQUENCE_NUMBER 1')
        answer = server.post('/produce/t', [{'value': str(i)}
                                            for i in range(3)])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['offset'] for m in answer.json], [None] * 3)

        answer = server.get('/produce/t/next')
        self.assertEqual(answer.json['offset'], 1)
        self.assertEqual(self.values(), ['next'])

    def test_slow_brokers(self):
        """Each round trip takes a second; a cold worker needs several."""

        # librdkafka 2.14 needs 11 of them, or more

        self.slow(1000)
        server = self.serve('message.timeout.ms 20000')
        start = time.monotonic()
        waiting = [Waiting(server, f'/produce/t/{i}') for i in range(20)]
        self.assertEqual([w.answer().status for w in waiting], [200] * 20)
        self.assertLess(time.monotonic() - start, 15)

        start = time.monotonic()
        self.assertEqual(server.get('/produce/t/20').status, 200)
        self.assertLess(time.monotonic() - start, 3)

        self.slow(0)
        self.assertEqual(sorted(map(int, self.values())), list(range(21)))

    def test_slow_broker_beside_a_fast_one(self):
        """Records gather while others are on their way, but not for long."""

        self.broker.command('topic two 2')
        self.broker.command('leader two 0 1')
        self.broker.command('leader two 1 2')
        server = self.serve()

        def body(partition, count=1):
            return json.dumps([{'value': 'v', 'partition': partition}] * count)

        for partition in (0, 1):
            self.assertEqual(
                server.post('/produce/two', body(partition)).status, 200)

        self.broker.command('rtt 2 3000')
        slow = Waiting(server, '/produce/two', body(1, 100))
        server.wait_for_requests(1)
        start = time.monotonic()
        for _ in range(20):
            self.assertEqual(server.post('/produce/two', body(0)).status, 200)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(slow.answer().status, 200)

    def test_connection_cut_mid_request(self):
        """The request is with the broker when its connection ends."""

        server = self.serve('statistics.interval.ms 50')
        self.warm(server)

        def sent():
            return sum(broker['bytes_sent']
                       for broker in server.status()['brokers'])

        before = wait_for(sent, what='statistics')
        self.slow(1000)
        values = [str(i) * 1000 for i in range(5)]
        waiting = [Waiting(server, f'/produce/t/{value}') for value in values]
        server.wait_for_requests(5)
        wait_for(lambda: sent() > before + 1000, what='they are with a broker')
        self.broker.command('down -1')
        self.broker.command('up -1')
        self.slow(0)
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)
        self.assertEqual(set(self.values()), set(values))

    def test_leader_moves(self):
        self.broker.command('topic moving 1')
        server = self.serve()
        load = kafkatest.Load(server, 'moving')
        for broker in 1, 2, 3, 1:
            load.wait_for_more(200)
            self.broker.command(f'leader moving 0 {broker}')
        load.wait_for_more(200)
        load.stop()

        # librdkafka may only infer that the new leader has some of them

        self.assertLessEqual(set(load.answers), {200, 504}, load.answers)
        self.assertLessEqual(set(load.codes), {'_NO_OFFSET'}, load.codes)
        values = sorted(map(int, self.values('moving')))
        self.assertEqual(values, sorted(set(values)))
        self.assertLessEqual(load.acknowledged, set(values))
        self.assertGreater(len(load.acknowledged), 0.9 * load.sent)

    def test_no_leader_for_a_while(self):
        self.broker.command('topic lost 1')
        server = self.serve('topic.metadata.refresh.interval.ms 100')
        self.warm(server, 'lost')
        self.broker.command('leader lost 0 -1')

        # a request to the old leader would be the end of a newer mock cluster,
        # and nothing shows when librdkafka has learned that it leads no more

        time.sleep(1)
        waiting = [Waiting(server, f'/produce/lost/{i}') for i in range(5)]
        server.wait_for_requests(5)
        time.sleep(1)           # the while
        self.broker.command('leader lost 0 2')
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)
        self.assertEqual(sorted(self.values('lost')), [*'01234'])

    def test_topic_denied_to_the_producer(self):
        """librdkafka refuses what it knows to be gone, at once: the module
        looks the topic up then, and goes by that."""

        server = self.serve('topic.metadata.refresh.interval.ms 200')
        self.warm(server)
        self.broker.command('error t UNKNOWN_TOPIC_OR_PART')

        # it gives a topic 2 s to be seen again, and does not show their end;
        # a request before it would have the module look the topic up first

        time.sleep(4)

        def looked_up():
            time.sleep(0.1)     # the pace of the client
            answer = server.post('/produce/t', [{'value': 'v'}])
            if answer.status != 200:
                self.assertRefused(answer, 404, 'no' if 'results' in
                                   answer.json else None)
            return answer.status == 404 and 'results' not in answer.json

        wait_for(looked_up, 5, 'it is found to be gone')
        self.broker.command('error t NO_ERROR')
        wait_for(lambda: server.get('/produce/t/warm').status == 200, 8,
                 'it is found again')

    def test_log_while_all_brokers_are_away(self):
        """Ten seconds, with callers: few lines, and one that is an error for
        each thing that went wrong."""

        server = self.serve('message.timeout.ms 1000')
        self.warm(server)
        before = len(server.log().splitlines())
        self.broker.command('down -1')

        end = time.monotonic() + 10
        while time.monotonic() < end:
            waiting = [Waiting(server, f'/produce/t/{i}') for i in range(20)]
            for w in waiting:
                self.assertIn(w.answer().status, (503, 504))

        lines = [line for line in server.log().splitlines()[before:]
                 if 'kafka' in line]
        errors = [line for line in lines if '[error]' in line]
        self.assertLess(len(lines), 100)
        self.assertIn(len(errors), range(1, 5), errors)
        self.assertIn('brokers are down', ''.join(errors))
        self.broker.command('up -1')
        wait_for(lambda: server.get('/produce/t/back').status == 200, 10,
                 'the brokers are found')

    def test_names_that_are_not_known(self):
        server = self.nginx(kafkatest.producer(
            'kafka-1.invalid:9092,kafka-2.invalid:9092',
            'message.timeout.ms 2000'))

        for _ in range(2):
            start = time.monotonic()
            answer = server.get('/produce/t/m')
            self.assertRefused(answer, 503)
            self.assertIn('names cannot be resolved', answer.json['error'])
            self.assertLess(time.monotonic() - start, 4.5)

        self.assertRegex(server.log(), r'\[error\] .*_RESOLVE: .*kafka-[12]')
        self.assertLess(server.log().count('[error]'), 8)
        self.assertIdle(server)


class Room(MockCase):
    """What waits is bounded, and the bound is given back."""

    def test_kafka_max_memory(self):
        server = self.serve(http='kafka_max_memory 1m;')
        self.warm(server)
        self.slow(2500)
        body = json.dumps({'value': 'x' * 100000})
        waiting = []

        def refused():
            return sum(w.future.done() for w in waiting)

        # one by one, as a value that grows needs more for a moment

        for i in range(20):
            waiting.append(Waiting(server, '/produce/t', body))
            wait_for(lambda: server.status()['requests_waiting'] + refused()
                     == len(waiting), 2, 'it waits, or is refused at once')

        self.assertGreaterEqual(refused(), 8)

        # this is refused before its body is read

        with server.connect() as s:
            s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Length: 300000\r\n\r\n')
            s.settimeout(1)
            self.assertRefused(kafkatest.read_response(s), 503)

        answers = [w.answer() for w in waiting]
        statuses = collections.Counter(a.status for a in answers)
        self.assertEqual(set(statuses), {200, 503}, statuses)
        self.assertGreaterEqual(statuses[200], 7)
        self.assertLessEqual(statuses[200], 10)
        for answer in answers:
            if answer.status == 503:
                self.assertRefused(answer, 503)

        self.slow(0)
        self.assertEqual(len(self.values()), statuses[200])
        for _ in range(20):
            self.assertEqual(server.post('/produce/t', body).status, 200)

    def test_absurd_content_length(self):
        """A length that no sum can hold is refused before its body."""

        for limit in ('1m', str(2**63 - 1)):
            server = self.nginx(
                kafkatest.producer(self.broker.bootstrap)
                + f'kafka_max_memory {limit};',
                'location /produce { kafka_produce main;'
                ' client_max_body_size 0; }')
            self.warm(server)

            for length in (2**63 - 1, 2**63 - 2048, 2**63 - 4096):
                if limit == '1m' or length == 2**63 - 1:
                    with self.subTest(limit=limit, length=length), \
                            server.connect(timeout=3) as s:
                        s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                                  b'Content-Length: %d\r\n\r\n' % length)
                        self.assertRefused(kafkatest.read_response(s), 413)

            self.warm(server)

        self.assertEqual(self.values(), [])

    def test_get_holds_what_post_holds(self):
        """A message in the path, escaped or not, and its key are counted, and
        take what they take in JSON."""

        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap)
            + 'large_client_header_buffers 4 32k;',
            kafkatest.SERVER +
            'location /rewritten { rewrite ^/rewritten(.*) /produce$1; }')
        self.warm(server)
        waiting = 20
        value, key = 'x' * 7000, 'k' * 300

        forms = {
            'JSON': lambda: Waiting(server, '/produce/t', json.dumps(
                {'value': value, 'key': key})),
            'path': lambda: Waiting(server, f'/produce/t/{value}?key={key}'),
            'escapes': lambda: Waiting(
                server, f'/produce/t/{"%78" * 7000}?key={"%6B" * 300}'),
            'rewrite': lambda: Waiting(
                server, f'/rewritten/t/{value}?key={key}'),
        }
        held = {}

        for name, send in forms.items():
            self.slow(1000)
            requests = [send() for _ in range(waiting)]

            def memory():
                worker, = server.get('/status').json['workers']
                return (worker['requests_waiting'] == waiting
                        and worker['memory'])

            held[name] = wait_for(memory, what=f'{name}: all wait')
            self.slow(0)
            self.assertEqual([r.answer().status for r in requests],
                             [200] * waiting)

        self.assertEqual(self.values(), [value] * waiting * len(forms))
        self.assertGreater(held['JSON'], waiting * 7300)
        self.assertEqual(held, dict.fromkeys(forms, held['JSON']))

    def test_room_of_those_who_left(self):
        """It is Kafka's word that gives it back, not the client's leaving."""

        server = self.serve(http='kafka_max_memory 1m;')
        self.warm(server)
        self.slow(1000)
        body = json.dumps({'value': 'x' * 100000}).encode()

        for i in range(8):
            with server.connect() as s:
                s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                          b'Content-Length: %d\r\n\r\n' % len(body) + body)
                wait_for(lambda: server.status()['messages_pending'] == i + 1,
                         what='its message is on its way')

        big = json.dumps({'value': 'x' * 400000})
        self.assertRefused(server.post('/produce/t', big), 503)
        self.slow(0)
        wait_for(lambda: server.post('/produce/t', big).status == 200, 10,
                 'the room is given back')

    def test_full_queue_keeps_the_order(self):
        """librdkafka takes 10 messages at a time; nginx does not spin."""

        server = self.serve('queue.buffering.max.messages 10')
        self.warm(server)
        self.slow(100)
        pid, = server.worker_pids()
        loop = f'{pid}/task/{pid}'      # librdkafka's threads aside
        before = kafkatest.cpu_seconds(loop)

        waiting = []
        for i in range(4):
            waiting.append(Waiting(server, '/produce/t', json.dumps(
                [{'value': f'{i}-{j}'} for j in range(50)])))
            server.wait_for_requests(i + 1)

        self.assertEqual([w.answer().status for w in waiting], [200] * 4)
        self.assertLess(kafkatest.cpu_seconds(loop) - before, 0.1)
        self.slow(0)
        self.assertEqual(self.values(), [f'{i}-{j}' for i in range(4)
                                         for j in range(50)])

    def test_full_queue_until_the_deadline(self):
        """librdkafka gives a message up after 1 s or 2, nginx a request after
        3 s.  What librdkafka holds of it then may still be sent; but each
        request's end makes room for the next one's messages, so that each may
        have some, and Kafka can get what was held last."""

        server = self.serve('queue.buffering.max.messages 10',
                            'message.timeout.ms 1000')
        self.warm(server)
        self.broker.command('leader t 0 -1')
        waiting = [Waiting(server, '/produce/t', json.dumps(
            [{'value': f'{i}-{j}'} for j in range(50)])) for i in range(4)]

        fates = [('_MSG_TIMED_OUT', 'no'), ('_MSG_TIMED_OUT', 'maybe'),
                 ('_QUEUE_FULL', 'no')]
        total = collections.Counter()
        held = set()

        for i, w in enumerate(waiting):
            answer = w.answer()
            results = [(r['code'], r['persisted'])
                       for r in answer.json['results']]
            self.assertEqual(answer.status, 504 if results[0] == fates[1]
                             else 503)
            codes = [code for code, _ in results]
            self.assertEqual(codes, sorted(codes))  # _QUEUE_FULL comes last

            # the ten that the old leader refused, and the ten held last

            self.assertLessEqual(results.count(fates[1]), 20)
            self.assertGreater(results.count(fates[2]), 0)
            held |= {f'{i}-{j}' for j, fate in enumerate(results)
                     if fate == fates[1]}
            total.update(results)

        self.assertGreaterEqual(total[fates[0]], 10)
        self.broker.command('leader t 0 1')
        wait_for(lambda: server.status()['messages_pending'] == 0,
                 what='librdkafka holds none')
        values = self.values()
        self.assertLessEqual(set(values), held)
        self.assertLessEqual(len(values), 10)

    def test_topic_denied_while_messages_wait_for_room(self):
        """A topic that no message has been produced to yet, and that a second
        look-up does not find any more, stays while messages to it wait."""

        server = self.serve('queue.buffering.max.messages 2')
        self.broker.command('topic late 1')
        self.warm(server)
        self.broker.command('leader t 0 -1')
        waiting = [Waiting(server, '/produce/t', json.dumps(
            [{'value': str(i)} for i in range(5)]))]
        server.wait_for_requests(1)
        waiting.append(Waiting(server, '/produce/late', '{"value":"late"}'))
        server.wait_for_requests(2)
        time.sleep(1.2)         # partitions are asked for again after 1 s

        # a look-up that ends before it is begun, as another topic is not there

        self.broker.command('error nowhere UNKNOWN_TOPIC_OR_PART')
        self.assertRefused(server.get('/produce/nowhere/m'), 404)
        elsewhere = [{'topic': 'late', 'value': 'v', 'partition': 99},
                     {'topic': 'nowhere', 'value': 'v'}]
        self.assertRefused(server.post('/produce', elsewhere), 404)
        time.sleep(2.5)         # what is absent is forgotten after 1 s

        # and one that does not find it

        self.broker.command('error late UNKNOWN_TOPIC_OR_PART')
        self.assertRefused(server.post('/produce', elsewhere[:1]), 404)
        time.sleep(2.5)         # it is forgotten, as the other one was
        self.assertFalse(any(w.future.done() for w in waiting))

        self.broker.command('error late NO_ERROR')
        self.broker.command('leader t 0 1')
        self.assertEqual([w.answer().status for w in waiting], [200, 200])
        self.assertEqual(self.values(), [*'01234'])
        self.assertEqual(self.values('late'), ['late'])

    def test_a_million_tiny_messages(self):
        """They need more room than there is; what they had comes back."""

        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap)
            + 'kafka_max_memory 64m;',
            'location /produce { kafka_produce main;'
            ' client_max_body_size 64m; }')
        self.warm(server)
        pid, = server.worker_pids()
        body = b'[' + b'{"value":""},' * 1000000 + b']'

        for i in range(5):
            start = time.monotonic()
            with server.connect() as s:
                try:
                    s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                              b'Content-Length: %d\r\n\r\n' % len(body) + body)
                except OSError:
                    pass        # answered before the end
                self.assertRefused(kafkatest.read_response(s), 413)
            self.assertLess(time.monotonic() - start, 10)
            wait_for(lambda: server.get('/produce/t/warm').status == 200, 5,
                     'there is room again')
            if i == 1:
                before = kafkatest.rss_bytes(pid)

        self.assertGrowth(pid, before, 8 << 20)
        self.assertEqual(self.values(), [])

    def test_room_of_the_refused(self):
        """Whoever was refused keeps no room, though the connection stays."""

        server = self.serve(http='kafka_max_memory 1m;')
        self.warm(server)
        item = b'{"value":"' + b'x' * 9000 + b'"},'
        chunk = b'%x\r\n%s\r\n' % (len(item), item)
        small = json.dumps({'value': 'x' * 200000})

        for end, status in ((chunk * 40, 413), (b'2\r\n}}\r\n', 400)):
            with self.subTest(status=status), server.connect() as s:
                s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                          b'Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n'
                          + chunk * 100 + end)
                self.assertRefused(kafkatest.read_response(s), status)
                answer = server.post('/produce/t', small)
                self.assertEqual(answer.status, 200, answer)


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


class Proxy:
    """Between nginx and a broker: it can swallow answers and cut."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.swallow = False
        self.swallowed = 0      # bytes
        self.sockets = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                broker = socket.create_connection(('127.0.0.1', self.target))
            except OSError:
                client.close()
                continue
            self.sockets += [client, broker]
            for source, sink in (client, broker), (broker, client):
                threading.Thread(target=self.pump, daemon=True,
                                 args=(source, sink, sink is client)).start()

    def pump(self, source, sink, answers):
        try:
            while (data := source.recv(65536)):
                if answers and self.swallow:
                    self.swallowed += len(data)
                else:
                    sink.sendall(data)
        except OSError:
            pass
        self.end(source, sink)
        source.close()

    @staticmethod
    def end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass            # another thread was first

    def cut(self):
        self.end(*self.sockets)
        self.sockets.clear()

    def stop(self):
        self.end(self.listener)
        self.listener.close()
        self.cut()


class RealCase(FaultCase):
    def serve(self, listener, *properties):
        """A short deadline, as most of these tests wait for it."""

        return self.nginx(kafkatest.producer(
            self.kafka.addresses(listener), 'message.timeout.ms 2000',
            *properties))

    def read(self, topic):
        return [r.value.decode() for r in
                kafkatest.read_topic(self.kafka.bootstrap, topic)]

    def check_kept_out(self, server, topic, *patterns, secret='-secret',
                       told='', share=0.05):
        """One clear line in the log; a 503 in time; no secret; no flood."""

        for _ in range(2):
            start = time.monotonic()
            answer = server.get(f'/produce/{topic}/m')
            self.assertRefused(answer, 503)
            self.assertLess(time.monotonic() - start, 4.5)
            self.assertNotIn(secret, answer.body.decode())
            self.assertIn(told, answer.json['error'])

        self.assertIdle(server, share)          # seconds, for a flood
        log = server.log()
        errors = [line for line in log.splitlines() if '[error]' in line]
        for pattern in patterns:
            self.assertRegex('\n'.join(errors), pattern)
        self.assertLess(len(errors), 8)
        self.assertLess(log.count('kafka producer'), 60)
        self.assertNotIn(secret, log)
        self.assertEqual(self.read(topic), [])


def openssl(folder, *commands):
    for command in commands:
        subprocess.run(['openssl', *command.split()], cwd=folder, check=True,
                       capture_output=True)


SCRAM = ('security.protocol sasl_plaintext', 'sasl.mechanism SCRAM-SHA-256',
         'sasl.username test')

SCRAM_LISTENER = '''
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
'''


def add_scram_user(kafka):
    """With Kafka's own tool, as Debian's client library cannot do it."""

    cache = os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache'))
    version = kafka.env.get('KAFKA_VERSION', '4.1.1')
    jars = kafka.env.get('KAFKA_LIB',
                         f'{cache}/ngx_http_kafka/kafka-{version}')
    subprocess.run(
        ['java', '-XX:TieredStopAtLevel=1', '-cp', f'{jars}/*',
         'kafka.admin.ConfigCommand', '--bootstrap-server', kafka.bootstrap,
         '--alter', '--add-config', 'SCRAM-SHA-256=[password=scram-secret]',
         '--entity-type', 'users', '--entity-name', 'test'],
        check=True, capture_output=True)


class OldKafka(RealCase):
    """Kafka 3.9, with SCRAM, a certificate that has expired, and a proxy
    before its plaintext listener."""

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.ConfiguredKafka(cls.prepare)
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.topic('scram')
        cls.kafka.topic('kept-out')
        add_scram_user(cls.kafka)

    @classmethod
    def prepare(cls, kafka):
        kafka.env['KAFKA_VERSION'] = '3.9.1'
        kafka.env.pop('KAFKA_LIB', None)        # those of the other version
        tls = os.path.join(kafka.dir, 'tls')
        key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        os.mkdir(tls)
        with open(os.path.join(tls, 'names'), 'w', encoding='ascii') as f:
            f.write('subjectAltName=IP:127.0.0.1')
        openssl(tls,
                f'req -x509 {key} -days 30 -subj /CN=ca -keyout ca.key'
                ' -out ca.pem',
                f'req {key} -subj /CN=broker -keyout broker.key'
                ' -out broker.csr',
                'x509 -req -in broker.csr -CA ca.pem -CAkey ca.key'
                ' -CAcreateserial -days 0 -extfile names -out broker.pem')
        with open(os.path.join(tls, 'broker-all.pem'), 'wb') as f:
            for name in 'broker.key', 'broker.pem':
                with open(os.path.join(tls, name), 'rb') as part:
                    f.write(part.read())

        port = int(kafka.env['KAFKA_PORT'])
        cls.proxy = Proxy(port)
        cls.addClassCleanup(cls.proxy.stop)

        return SCRAM_LISTENER + f'''
advertised.listeners=PLAINTEXT://127.0.0.1:{cls.proxy.port},\
SASL_PLAINTEXT://127.0.0.1:{port + 2},SSL://127.0.0.1:{port + 3},\
SASL_SSL://127.0.0.1:{port + 4}
'''

    def test_scram(self):
        server = self.serve('sasl', *SCRAM, 'sasl.password scram-secret')
        answer = server.get('/produce/scram/m')
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.read('scram'), ['m'])
        self.assertNotIn('-secret', server.log())

    def test_wrong_scram_password(self):
        """Each attempt hashes the password 4,096 times: milliseconds, which
        AddressSanitizer makes many.
        """

        server = self.serve('sasl', *SCRAM, 'sasl.password wr0ng-secret')
        self.check_kept_out(server, 'kept-out', '_AUTHENTICATION',
                            told='credentials', share=0.2)

    def test_expired_certificate(self):
        tls = os.path.join(self.kafka.dir, 'tls')
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {tls}/ca.pem')
        self.check_kept_out(server, 'kept-out', 'it has expired',
                            told='TLS')

    def test_answer_of_a_broker_lost(self):
        """The broker has the batch and says so, and the word does not come:
        librdkafka asks again, Kafka tells where it is, and it is there once.
        """

        self.kafka.topic('once')
        server = self.nginx(kafkatest.producer(self.kafka.bootstrap))
        self.assertEqual(server.get('/produce/once/warm').status, 200)

        log = (f'{self.kafka.dir}/node-1/data/once-0/'
               '00000000000000000000.log')

        def written():
            with open(log, 'rb') as f:
                return b'lost-' in f.read()

        self.proxy.swallow = True
        try:
            waiting = [Waiting(server, f'/produce/once/lost-{i}')
                       for i in range(10)]
            wait_for(written, what='the broker has a batch')
            wait_for(lambda: self.proxy.swallowed, what='it says so')
            server.wait_for_requests(10)
        finally:
            self.proxy.swallow = False
            self.proxy.cut()

        answers = [w.answer() for w in waiting]
        self.assertEqual([a.status for a in answers], [200] * 10)
        records = kafkatest.read_topic(self.kafka.bootstrap, 'once')
        self.assertEqual(len(records), 11)
        for i, answer in enumerate(answers):
            offset = answer.json['offset']
            if offset is not None:
                self.assertEqual(records[offset].value, b'lost-%d' % i)


class Cluster(RealCase):
    """Three nodes of the Kafka of today, TLS with a client's certificate."""

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.ConfiguredKafka(
            lambda kafka: 'listener.name.ssl.ssl.client.auth=required\n'
            + SCRAM_LISTENER, 3)
        cls.addClassCleanup(cls.kafka.stop)
        cls.tls = os.path.join(cls.kafka.dir, 'tls')
        os.chmod(cls.kafka.dir, 0o755)
        os.chmod(cls.tls, 0o755)
        cls.kafka.topic('kept-out')
        cls.admin = confluent_kafka.admin.AdminClient(
            {'bootstrap.servers': cls.kafka.bootstrap, 'log_level': 2})

    def client_certificate(self):
        return (f'ssl.certificate.location {self.tls}/client.pem',
                f'ssl.key.location {self.tls}/client.key')

    def test_mtls(self):
        self.kafka.topic('mtls')
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {self.tls}/ca.pem',
                            *self.client_certificate())
        answer = server.get('/produce/mtls/m')
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.read('mtls'), ['m'])

    def test_no_client_certificate(self):
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {self.tls}/ca.pem')
        self.check_kept_out(server, 'kept-out', 'alert .*certificate',
                            told='TLS')

    def test_wrong_ca(self):
        folder = self.other_ca()
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {folder}/ca.pem',
                            *self.client_certificate())
        self.check_kept_out(server, 'kept-out', 'issuer is not trusted',
                            told='TLS')

    def test_plaintext_to_a_tls_port(self):
        server = self.serve('ssl')
        self.check_kept_out(server, 'kept-out', 'kafka producer "main": ')

    def test_wrong_password(self):
        server = self.serve('sasl', 'security.protocol sasl_plaintext',
                            'sasl.mechanism PLAIN', 'sasl.username test',
                            'sasl.password wr0ng-secret')
        self.check_kept_out(server, 'kept-out', '_AUTHENTICATION')

    @unittest.skipIf(confluent_kafka.libversion()[1] < 0x02060100,
                     'librdkafka before 2.6.1 cannot do SCRAM with Kafka 4')
    def test_scram_with_kafka_4(self):
        self.kafka.topic('scram')
        add_scram_user(self.kafka)
        server = self.serve('sasl', *SCRAM, 'sasl.password scram-secret')
        self.assertEqual(server.get('/produce/scram/m').status, 200)
        self.assertEqual(self.read('scram'), ['m'])

    def test_too_few_replicas(self):
        self.kafka.topic('strict', 1, 3, min_insync_replicas='3')
        server = self.serve('plaintext')
        self.assertEqual(server.get('/produce/strict/before').status, 200)
        self.kafka.util('kill', '3')

        try:
            # at first the cluster waits for the dead one, then gives it up

            # and finds another leader: until then the message is not sent

            fates = {}

            def refused():
                answer = server.post('/produce/strict',
                                     [{'value': str(len(fates))}])
                self.assertIn(answer.status, (503, 504), answer)
                fate = answer.json['results'][0]['persisted']
                self.assertEqual(fate, {503: 'no', 504: 'maybe'}[answer.status])
                fates[str(len(fates))] = fate
                return fate == 'maybe' and len(fates) > 2

            wait_for(refused, 25, 'it is refused by the replicas that are left')

        finally:
            self.kafka.util('restart', '3')

        wait_for(lambda: server.get('/produce/strict/after').status == 200, 30,
                 'all replicas are in sync')
        found = self.read('strict')
        self.assertIn('before', found)
        for value, fate in fates.items():
            if fate == 'no':
                self.assertNotIn(value, found)

    def test_partitions_added(self):
        self.kafka.topic('grown', 1)
        server = self.serve('plaintext')
        self.assertEqual(server.get('/produce/grown/m').status, 200)
        message = [{'value': 'v', 'partition': 2}]
        self.assertRefused(server.post('/produce/grown', message), 400)

        new = confluent_kafka.admin.NewPartitions('grown', 3)
        self.admin.create_partitions([new])['grown'].result(10)

        # the look-up knows them at once, librdkafka's producer later

        def known():
            answer = server.post('/produce/grown', message)
            if answer.status != 200:
                if answer.status == 400:
                    self.assertRefused(answer, 400)
                else:
                    self.assertRefused(answer, 503, 'no', '_UNKNOWN_PARTITION')
                time.sleep(0.2)     # the pace of the client
            return answer.status == 200

        wait_for(known, 20, 'the new partitions are known')
        self.assertEqual(self.read('grown'), ['m', 'v'])

    def test_topic_created_anew_with_fewer_partitions(self):
        self.kafka.topic('anew', 3)
        server = self.serve('plaintext')
        messages = [{'value': str(i), 'partition': i} for i in range(3)]
        self.assertEqual(server.post('/produce/anew', messages).status, 200)

        self.admin.delete_topics(['anew'])['anew'].result(10)
        wait_for(lambda: 'anew' not in
                 self.admin.list_topics(timeout=10).topics, 10, 'it is gone')

        number = itertools.count()
        acked, absent = [], set()

        def status(topic, *partitions):
            values = [f'{next(number)}-{i}' for i in partitions]
            answer = server.post(f'/produce/{topic}', [
                {'value': v, 'partition': i}
                for v, i in zip(values, partitions)])

            # it goes partition by partition

            results = answer.json
            if answer.status != 200:
                results = answer.json.get('results',
                                          [{'persisted': 'no'}] * len(values))
            for value, result in zip(values, results):
                if 'offset' in result:
                    acked.append(value)
                elif result['persisted'] == 'no':
                    absent.add(value)
            return answer.status

        def check(topic):
            found = self.read(topic)
            self.assertEqual(absent & set(found), set())
            self.assertEqual(found, acked[-1:])

        wait_for(lambda: status('anew', 0, 1, 2) == 404, 15, 'it is not found')
        self.kafka.topic('anew', 1)
        wait_for(lambda: status('anew', 0) == 200, 15, 'it is found')
        self.assertEqual(status('anew', 0, 1, 2), 400)
        check('anew')

        # at once: the module meets the new one while it knows the old one

        self.kafka.topic('swapped', 3)
        self.assertEqual(status('swapped', 0, 1, 2), 200)
        self.admin.delete_topics(['swapped'])['swapped'].result(10)
        wait_for(lambda: 'swapped' not in
                 self.admin.list_topics(timeout=10).topics, 10, 'it is gone')
        self.kafka.topic('swapped', 1)

        wait_for(lambda: status('swapped', 2) == 400, 15,
                 'the partition is known to be gone')
        wait_for(lambda: status('swapped', 0) == 200, 15, 'the topic is well')
        check('swapped')


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
