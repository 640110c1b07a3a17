#!/usr/bin/python3
"""Memory runs out: allocations of nginx, the module and yajl fail at random,
and no answer lies.
"""

import collections
import http.client
import json
import mmap
import os
import re
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest
import loss


NO_MEMORY = re.compile(r'\[emerg\].*(alloc|memalign)\(.*failed \(12: ')

# who gets no memory, in t/lib/nomemory.c; yajl gets its own from the module

NGINX, MODULE, YAJL = range(3)

TOPICS = 'one', 'two', 'half'           # the last one's partition 1 is dead
ABSENT = 'nowhere'
CLIENTS = 20
REQUESTS = 70                   # of each: the mock keeps 5 MB of a partition
CHANCE = 50000                  # of a million allocations fail


class Nginx(kafkatest.Nginx):
    """One whose allocations can be made to fail."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.library = os.path.join(self.dir, 'nomemory.so')
        self.control = os.path.join(self.dir, 'nomemory')

        subprocess.run(
            ['gcc', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared',
             '-o', self.library,
             os.path.join(kafkatest.ROOT, 't/lib/nomemory.c')], check=True)

        with open(self.control, 'wb+') as f:
            f.truncate(mmap.PAGESIZE)
            self.shared = mmap.mmap(f.fileno(), mmap.PAGESIZE)

        os.chmod(self.dir, 0o755)

    def launch(self):
        self.process = subprocess.Popen(
            self.command(), env=dict(os.environ, LD_PRELOAD=self.library,
                                     NOMEMORY=self.control))

    def fail(self, chance):
        """So many of a million allocations."""

        struct.pack_into('=Q', self.shared, 0, chance)

    def failed(self):
        return struct.unpack_from('=3Q', self.shared, 16)

    def bad_lines(self):
        return [line for line in super().bad_lines()
                if not NO_MEMORY.search(line)]


class Client(loss.Client):
    """Sends what needs memory in each place, and what is refused."""

    def run(self):
        for _ in range(REQUESTS):
            self.exchange(*self.compose())
            if self.seconds[-1] > 20:
                break           # no worker lives
        self.close()

    def compose(self):
        rand = self.rand
        kind = rand.choice(('path', 'one', 'many', 'many', 'mixed', 'mixed',
                            'large', 'escapes', 'bad', 'absent', 'half'))
        topic = rand.choice(TOPICS[:2])
        count = rand.randrange(1, 80) if kind in ('many', 'mixed') else 1
        if kind == 'half':
            count = 20

        if kind == 'mixed':
            topics = [rand.choice(TOPICS[:2]) for _ in range(count)]
        elif kind == 'absent':
            topics = [topic, ABSENT]
        elif kind == 'half':
            topics = [TOPICS[2]] * count
        else:
            topics = [topic] * count

        first = len(self.outcomes)
        values = [f'{self.number}.{first + i}.' + 'x' * rand.randrange(50)
                  for i in range(len(topics))]

        if kind == 'path':
            return (self.head('GET', f'/produce/{topic}/{values[0]}?key=k'),
                    topics, values)

        if kind == 'large':
            values[0] += 'x' * rand.randrange(65000, 70000)
        elif kind == 'escapes':
            values[0] += '\n"\\' * rand.randrange(1, 3000)

        messages = [{'topic': topic, 'value': value, 'key': 'k',
                     'headers': [{'key': 'h', 'value': None}]}
                    for topic, value in zip(topics, values)]
        if kind == 'half':
            for i, message in enumerate(messages):
                message['partition'] = int(i % 10 == 5)

        body = json.dumps(messages[0] if kind == 'one' else messages).encode()
        if kind == 'bad':
            body = body[:-2]

        return (self.head('POST', '/produce',
                          f'Content-Length: {len(body)}\r\n') + body,
                topics, values)

    def exchange(self, request, topics, values):
        super().exchange(request, topics, values)

        # a page of nginx's own, from before it knew the location

        for value in values:
            if self.page:
                self.outcomes[value] = loss.Outcome(loss.NO)

    def answer(self, request):
        self.page = False
        answer = super().answer(request)
        self.page = answer.status >= 400 and answer.body.startswith(b'<html>')
        return answer


@unittest.skipIf(kafkatest.SANITIZER, 'it wants to be loaded first')
class Memory(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        for topic in TOPICS:
            self.broker.command(f'topic {topic} 2')
        self.broker.command(f'error {ABSENT} UNKNOWN_TOPIC_OR_PART')

    def serve(self, *properties, http=''):
        server = self.start(Nginx(
            kafkatest.producer(self.broker.bootstrap, *properties) + http,
            'location /produce { kafka_produce main; }'
            'location = /status { kafka_status; }'
            'location = /metrics { kafka_status prometheus; }'))
        for topic in TOPICS:
            self.assertEqual(server.post(f'/produce/{topic}', {
                'value': 'warm', 'partition': 0}).status, 200)
        return server

    def records(self):
        return [(topic, r.partition, r.offset, r.value.decode())
                for topic in TOPICS
                for r in kafkatest.read_topic(self.broker.bootstrap, topic)
                if r.value != b'warm']

    def run_clients(self, server, chance):
        """Under failures; what was answered, by value."""

        clients = [Client(i, server.port, loss.FORMS['short'],
                          threading.Event()) for i in range(CLIENTS)]

        server.fail(chance)
        for client in clients:
            client.start()
        for client in clients:
            while client.is_alive():
                self.look_at(server)
                client.join(0.01)
        server.fail(0)

        outcomes = {}
        for client in clients:
            outcomes.update(client.outcomes)
        return outcomes

    def look_at(self, server):
        for place in '/status', '/metrics':
            try:
                self.assertIn(server.get(place).status, (200, 500))
            except (OSError, http.client.HTTPException):
                pass            # no memory for the connection

    def test_allocations_that_fail_at_random(self):
        server = self.serve('message.timeout.ms 1000',
                            'statistics.interval.ms 50')
        workers = server.worker_pids()
        self.broker.command(f'leader {TOPICS[2]} 1 -1')

        outcomes = self.run_clients(server, CHANCE)

        self.assertEqual(server.worker_pids(), workers, server.log()[-2000:])

        # a client that could not be made is tried again after a second

        kafkatest.wait_for(
            lambda: server.get('/produce/one/warm').status == 200,
            what='it serves')
        server.stop()
        self.broker.command(f'leader {TOPICS[2]} 1 1')

        faults = loss.compare(outcomes, [], self.records())
        for fault in (loss.CUT, loss.CUT_PRESENT):
            del faults[fault]       # a broken connection promises nothing
        self.assertEqual({fault: (len(cases), cases[:3])
                          for fault, cases in faults.items() if cases}, {})

        self.assertGreater(server.failed()[NGINX], 100)
        if kafkatest.MODULES:
            self.assertGreater(server.failed()[MODULE], 10)
        kinds = collections.Counter(o.kind for o in outcomes.values())
        for kind in (loss.ACKED, loss.NO, loss.CUT_NEW):
            self.assertGreater(kinds[kind], 50, kinds)

    def test_no_memory_for_the_answer(self):
        """Records are with the broker when no allocation succeeds any more;
        what the answer needs in small pieces is in the request's pool."""

        server = self.serve('batch.num.messages 60',
                            http='request_pool_size 64k;')

        # the first record of a partition is sent alone
        self.assertEqual(server.post('/produce/one', {
            'value': 'first', 'partition': 1}).status, 200)

        for err, status in (('NO_ERROR', 200),
                            ('TOPIC_AUTHORIZATION_FAILED', 403)):
            with self.subTest(err), server.connect() as s:
                values = [f'{err}-{i}' for i in range(100)]
                body = json.dumps([{'value': value, 'partition': 1}
                                   for value in values]).encode()
                self.broker.command('rtt -1 500')

                # in two requests, as librdkafka may take any group
                self.broker.command(f'fail 0 {err} {len(values)}')
                s.sendall(b'POST /produce/one HTTP/1.1\r\nHost: a\r\n'
                          b'Content-Length: %d\r\n\r\n' % len(body) + body)
                kafkatest.wait_for(
                    lambda: self.pending(server) == len(values),
                    what='the records are with librdkafka')

                server.fail(1000000)
                answer = kafkatest.read_response(s)
                with server.connect() as other:
                    self.assertEqual(other.recv(1), b'')
                server.fail(0)

                self.broker.command('clear 0')
                self.broker.command('rtt -1 0')
                self.assertEqual(answer.status, status, answer)
                outcomes = dict(zip(values, loss.judge(answer,
                                                       ['one'] * len(values))))
                records = [r for r in self.records() if r[3] in outcomes]
                self.assertEqual(len(records),
                                 len(values) if status == 200 else 0)
                faults = loss.compare(outcomes, [], records)
                self.assertEqual([f for f in faults.items() if f[1]], [])

                if status != 200:
                    self.assertEqual(answer.json['error'],
                                     f'message 0: {err}; 100 of 100 messages'
                                     ' were not acknowledged')

                    # those of the second request wait for the next client,
                    # which cannot be made

                    self.assertLessEqual(
                        {(r['error'], r['code'])
                         for r in answer.json['results']},
                        {('not acknowledged', err),
                         ('not acknowledged', '_CRIT_SYS_RESOURCE')})

                    # an attempt that is later than a backoff leaves a doubt
                    self.assertLessEqual(
                        {r['persisted'] for r in answer.json['results']},
                        {loss.NO, loss.MAYBE})

    def pending(self, server):
        worker, = server.get('/status').json['workers']
        return worker['messages_pending']


if __name__ == '__main__':
    unittest.main()
