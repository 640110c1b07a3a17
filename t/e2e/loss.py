#!/usr/bin/python3
"""Nothing is lost: what was answered is what three brokers hold.

Clients send messages with unique values while nginx is reloaded and upgraded,
and brokers are killed and paused; then Kafka is read back and compared.

    LOSS=long       100,000 messages instead of 8,000, which takes minutes
"""

import collections
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest
from caller import Caller
from outcomes import (
    ABSENT, ACKED, CUT, CUT_KEPT, CUT_NEW, CUT_PRESENT, DOUBLE, ELSEWHERE,
    FAULTS as FAULTS_OF_MESSAGES, MAYBE, NO, ODD, Outcome, PRESENT, SENSELESS,
    STRANGE, YES, compare as compare_each, cut, judge)


Form = collections.namedtuple('Form', 'messages clients pause steps')

# After each step a pause.  The brokers miss one of them after 4 s, so some
# steps come while a partition has no leader, others while all is well.

FORMS = {
    'short': Form(8000, 16, 0.25, '''
        reload  kill-1 reload restart-1  pause-2 upgrade resume-2
        kill-3 restart-3  reload'''),
    'long': Form(100000, 32, 0.15, '''
        reload reload  kill-1 reload restart-1  kill-2 restart-2 reload
        pause-3 reload resume-3  kill-3 upgrade restart-3  reload
        kill-1 reload wait wait restart-1  pause-2 reload wait wait resume-2
        kill-3 kill-2 reload restart-2 restart-3  reload
        kill-2 wait wait restart-2 wait wait'''),
}

STEP = 1.5                      # seconds between two steps
TIMEOUT = 5                     # message.timeout.ms, in seconds
LIMIT = TIMEOUT + 2.5           # how long a request may take

TOPICS = 'loss-a', 'loss-b'
PARTITIONS = 4

# one for each reload, in turn

PROPERTIES = [
    ['client.id second', 'linger.ms 5'],
    ['max.in.flight.requests.per.connection 5', 'compression.type lz4'],
    ['batch.num.messages 3', 'socket.keepalive.enable true'],
    ['linger.ms 0.5', 'enable.idempotence true', 'retry.backoff.ms 20'],
    [],
]

LATE = f'requests longer than {LIMIT} s'

FAULTS = (*FAULTS_OF_MESSAGES, LATE)


def compare(outcomes, seconds, records):
    """The cases of each fault: by what was answered for each value, how long
    the requests took, and the (topic, partition, offset, value) in Kafka.
    """

    places = collections.defaultdict(list)
    for topic, partition, offset, value in records:
        places[value].append((topic, partition, offset))

    faults = compare_each((value, outcomes.get(value), places.get(value, []))
                          for value in outcomes.keys() | places.keys())
    faults[LATE] = [s for s in seconds if s > LIMIT]

    return faults


class Client(Caller):
    """Sends messages, one request after another, until it may end."""

    def __init__(self, number, port, form, calm):
        super().__init__(number, port, number)
        self.pause = form.pause
        self.share = form.messages / form.clients
        self.calm = calm        # set once nothing happens any more
        self.outcomes = {}
        self.seconds = []

    def run(self):
        while not self.calm.is_set() or len(self.outcomes) < self.share:
            self.exchange(*self.compose())
            if not self.calm.is_set():
                time.sleep(self.rand.random() * self.pause)

        self.close()

    def compose(self):
        """A request; its messages' topics and values."""

        rand = self.rand
        kind = rand.choice(['path', 'one', 'GET', 'POST', 'mixed', 'mixed'])
        count = 1 if kind in ('path', 'one') else rand.randrange(1, 11)
        topics = [rand.choice(TOPICS)] * count
        if kind == 'mixed':
            topics = [rand.choice(TOPICS) for _ in topics]

        first = len(self.outcomes)
        values = [f'{self.number}.{first + i}.' + 'x' * rand.randrange(100)
                  for i in range(count)]

        if kind == 'path':
            key = rand.choice(['', '?key=k', f'?key={first}'])
            return (self.head('GET', f'/produce/{topics[0]}/{values[0]}{key}'),
                    topics, values)

        messages = [{'topic': topic, 'value': value}
                    for topic, value in zip(topics, values)]
        for message in messages:
            if rand.random() < 0.2:
                message['partition'] = rand.randrange(PARTITIONS)
            if rand.random() < 0.2:
                message['key'] = str(rand.randrange(100))

        body = json.dumps(messages[0] if kind == 'one' else messages).encode()
        path = '/produce' if kind == 'mixed' else f'/produce/{topics[0]}'
        method = 'GET' if kind == 'GET' else 'POST'

        return (self.head(method, path, f'Content-Length: {len(body)}\r\n')
                + body, topics, values)

    def exchange(self, request, topics, values):
        response, used, seconds = self.ask(request)
        outcomes = (cut(used, len(values)) if response is None
                    else judge(response, topics))

        self.seconds.append(seconds)
        self.outcomes.update(zip(values, outcomes))


class Loss(kafkatest.TestCase):
    def test_loss(self):
        form = FORMS[os.environ.get('LOSS') or 'short']
        start = time.monotonic()

        self.kafka = kafkatest.Kafka(3)
        self.addCleanup(self.kafka.stop)
        for topic in TOPICS:
            self.kafka.topic(topic, PARTITIONS, 3, min_insync_replicas='2')

        self.reloads = 0
        self.server = kafkatest.Daemon(self.block(), self.location(),
                                       workers=2)
        self.start(self.server)
        self.addCleanup(self.server.kill_the_rest)

        calm = threading.Event()
        clients = [Client(i, self.server.port, form, calm)
                   for i in range(form.clients)]
        for client in clients:
            client.start()

        try:
            self.trouble(form.steps.split())
        finally:
            calm.set()
            for client in clients:
                client.join()

        self.assertEqual(self.server.stop(), 0, self.server.log())
        self.assertEqual(self.server.processes(), [])

        outcomes = {}
        seconds = []
        for client in clients:
            outcomes.update(client.outcomes)
            seconds += client.seconds

        records = [
            (topic, record.partition, record.offset, record.value.decode())
            for topic, record in kafkatest.each_marked_record(
                self.kafka.bootstrap, TOPICS)]
        faults = compare(outcomes, seconds, records)
        self.table(form, outcomes, seconds, records, faults,
                   time.monotonic() - start)

        if any(faults.values()):
            print(*(line for line in self.server.log().splitlines()
                    if '[info]' not in line), sep='\n', file=sys.stderr)

        for fault, cases in faults.items():
            with self.subTest(fault):
                self.assertEqual(cases[:20], [])
        self.assertGreaterEqual(len(outcomes), form.messages)

    # nginx

    def block(self):
        properties = PROPERTIES[self.reloads % len(PROPERTIES) - 1]
        return kafkatest.producer(self.kafka.bootstrap,
                                  f'message.timeout.ms {TIMEOUT * 1000}',
                                  *properties)

    def location(self):
        return 'location /produce { kafka_produce main; }'

    # what happens meanwhile

    def trouble(self, steps):
        for step in steps:
            time.sleep(STEP)
            name, _, node = step.partition('-')
            if node:
                self.kafka.util(name, node)
            else:
                getattr(self, name)()

    def wait(self):
        time.sleep(STEP)

    def reload(self):
        self.reloads += 1
        self.server.write(self.block(), self.location())
        self.server.reload()

    def upgrade(self):
        self.assertEqual(self.server.upgrade(), 0)

    # what is there

    def table(self, form, outcomes, seconds, records, faults, took):
        there = {record[3] for record in records}
        steps = collections.Counter(step.partition('-')[0]
                                    for step in form.steps.split())

        def count(kind, present):
            return sum(outcome.kind == kind and (value in there) == present
                       for value, outcome in outcomes.items())

        rows = [
            ('messages', len(outcomes)),
            ('requests', len(seconds)),
            ('reloads', steps['reload']),
            ('upgrades', steps['upgrade']),
            ('brokers killed', steps['kill']),
            ('brokers paused', steps['pause']),
            ('records in Kafka', len(records)),
            ('acknowledged', count(ACKED, True)),
            ('   without an offset',
             sum(o.kind == ACKED and o.offset is None
                 for o in outcomes.values())),
            ('"yes"', count(YES, True)),
            ('"maybe", and present', count(MAYBE, True)),
            ('"maybe", and absent', count(MAYBE, False)),
            ('"no", and absent', count(NO, False)),
            ('cut on a kept connection, and absent', count(CUT_KEPT, False)),
            ('longest request, in seconds', f'{max(seconds):.1f}'),
            ('seconds in all', f'{took:.0f}'),
            ('these must be 0:', ''),
            *((fault, len(cases)) for fault, cases in faults.items()),
        ]
        for name, number in rows:
            print(f'{name:40} {number:>8}', flush=True)


class Comparison(kafkatest.TestCase):
    """Each fault is seen, and seen as what it is."""

    OUTCOMES = {
        'a': Outcome(ACKED, 'loss-a', 1, 7),
        'b': Outcome(ACKED, 'loss-b', 0, None),
        'c': Outcome(YES),
        'd': Outcome(MAYBE),
        'e': Outcome(MAYBE),
        'f': Outcome(NO),
        'g': Outcome(CUT_KEPT),
    }
    RECORDS = [
        ('loss-a', 1, 7, 'a'),
        ('loss-b', 0, 3, 'b'),
        ('loss-a', 0, 0, 'c'),
        ('loss-a', 0, 1, 'd'),
    ]

    def check(self, expected, outcomes=None, records=None, seconds=(LIMIT,)):
        found = compare({**self.OUTCOMES, **(outcomes or {})}, seconds,
                        self.RECORDS if records is None else records)
        self.assertEqual(tuple(found), FAULTS)
        self.assertEqual({fault: len(cases) for fault, cases in found.items()
                          if cases}, expected)

    def test_all_is_well(self):
        self.check({})

    def test_absent(self):
        self.check({ABSENT: 3}, records=[])

    def test_elsewhere(self):
        for place in (('loss-b', 1, 7), ('loss-a', 0, 7), ('loss-a', 1, 8)):
            self.check({ELSEWHERE: 1},
                       records=[(*place, 'a'), *self.RECORDS[1:]])
        self.check({ELSEWHERE: 1}, {'b': Outcome(ACKED, 'loss-b', 1, None)})

    def test_present(self):
        self.check({PRESENT: 1},
                   records=[*self.RECORDS, ('loss-a', 0, 2, 'f')])

    def test_double(self):
        for value in 'abcd':
            self.check({DOUBLE: 1},
                       records=[*self.RECORDS, ('loss-b', 3, 2, value)])

    def test_cut(self):
        self.check({CUT: 1}, {'h': Outcome(CUT_NEW)})

    def test_cut_and_present(self):
        self.check({CUT_PRESENT: 1},
                   records=[*self.RECORDS, ('loss-a', 0, 2, 'g')])

    def test_late(self):
        self.check({LATE: 1}, seconds=[0.1, LIMIT + 0.01])

    def test_senseless(self):
        self.check({SENSELESS: 1}, {'h': Outcome(ODD)})

    def test_strange(self):
        self.check({STRANGE: 1},
                   records=[*self.RECORDS, ('loss-a', 0, 2, 'h')])


class Clients(kafkatest.TestCase):
    """A client tells what it was answered, by a server that is none."""

    HEAD = b'HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n'
    FORM = Form(1, 1, 0, '')

    def serve(self, *answers):
        """Each connection's answers, to one request after another."""

        listener = socket.create_server(('127.0.0.1', 0))

        def run():
            with listener:
                for of_connection in answers:
                    conn = listener.accept()[0]
                    with conn:
                        for answer in of_connection:
                            conn.recv(10000)
                            conn.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

        return listener.getsockname()[1]

    def outcomes(self, requests, *answers, keep=True):
        client = Client(keep, self.serve(*answers), self.FORM, None)
        client.rand = random.Random(1)
        client.rand.random = lambda: 1          # in one piece

        for i in range(requests):
            request = client.head('POST', '/produce')
            client.exchange(request, ['loss-a', 'loss-b'], [f'{i}a', f'{i}b'])

        self.addCleanup(client.close)
        self.assertEqual(len(client.seconds), requests)
        return list(client.outcomes.values())

    def answer(self, status, body):
        body = json.dumps(body).encode()
        return self.HEAD % (status, len(body)) + body

    ONE = {'topic': 'loss-a', 'partition': 1, 'offset': 5}
    NULL = {'topic': 'loss-b', 'partition': 2, 'offset': None}
    GOOD = [Outcome(ACKED, 'loss-a', 1, 5), Outcome(ACKED, 'loss-b', 2, None)]

    def failed(self, persisted):
        return {'topic': 'loss-b', 'error': 'x', 'persisted': persisted}

    def test_answers(self):
        for status, body, expected in [
            (200, [self.ONE, self.NULL], self.GOOD),
            (503, {'status': 503}, [Outcome(NO)] * 2),
            (200, [self.ONE], [Outcome(ODD)] * 2),
            (200, [self.NULL, self.ONE], [Outcome(ODD)] * 2),
            (503, {'status': 504}, [Outcome(ODD)] * 2),
            (503, 'later', [Outcome(ODD)] * 2),
            (503, {'status': 503, 'results': [self.ONE, self.failed('?')]},
             [Outcome(ODD)] * 2),
            *[(504, {'status': 504, 'results': [self.ONE, self.failed(kind)]},
               [self.GOOD[0], Outcome(kind)]) for kind in (NO, MAYBE, YES)],
        ]:
            self.assertEqual(self.outcomes(1, [self.answer(status, body)]),
                             expected)

        self.assertEqual(self.outcomes(1, [self.HEAD % (503, 3) + b'<p>']),
                         [Outcome(ODD)] * 2)

    def test_cuts(self):
        good = self.answer(200, [self.ONE, self.NULL])

        for cut in b'', good[:-1]:
            self.assertEqual(self.outcomes(1, [cut]), [Outcome(CUT_NEW)] * 2)
            self.assertEqual(self.outcomes(3, [good, cut], [good]),
                             self.GOOD + [Outcome(CUT_KEPT)] * 2 + self.GOOD)


if __name__ == '__main__':
    kafkatest.unittest.main()
