#!/usr/bin/python3
"""No answer is a lie, whatever happens: all kinds of trouble at once.

Callers send messages, good and bad ones, through relays that add 20 ms each
way, to three brokers that are paused, killed, stopped and elected, while
min.insync.replicas changes, a topic is deleted and created again, nginx is
reloaded and upgraded, and its workers are killed.  Then Kafka is read back and
compared with what the callers were told.

    SOAK_SECONDS    how long the trouble lasts (30); util/soak.sh counts minutes
    SOAK_SEED       of all that is random but time
    SOAK_ONCE       if set, a duplicate by an idempotent producer is a fault
"""

import collections
import contextlib
import glob
import json
import os
import random
import resource
import signal
import sys
import threading
import time

import confluent_kafka.admin

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkaadmin
import kafkatest
from caller import Caller
from ledger import Entry, Ledger, Places
from outcomes import (
    ABSENT, ACKED, CUT_KEPT, CUT_NEW, DOUBLE, ELSEWHERE, MAYBE, NO, ODD,
    Outcome, PRESENT, SENSELESS, STRANGE, YES, compare, cut, judge)

SECONDS = float(os.environ.get('SOAK_SECONDS') or 30)
SEED = os.environ.get('SOAK_SEED') or str(random.randrange(1000000))
ONCE = bool(os.environ.get('SOAK_ONCE'))

NODES = 3
DELAY = 20000                   # microseconds, each way
CALLERS = 64
PAUSE = 0.1                     # seconds between a caller's requests, at most
LONG = 7.5                      # seconds that a request may take
KEYS = 8                        # of each caller

Topic = collections.namedtuple('Topic', 'partitions config bad')

# What is refused: a timestamp, a size, the lack of a key.

RECREATED = 'soak-recreated'
LARGE = 20000

TOPICS = {
    'soak-plain': Topic(6, {}, ()),
    'soak-other': Topic(4, {}, ()),
    'soak-limits': Topic(6, {
        'message_timestamp_before_max_ms': '3600000',
        'message_timestamp_after_max_ms': '3600000',
        'max_message_bytes': str(LARGE)}, ('timestamp', 'size')),
    'soak-compacted': Topic(4, {
        'cleanup_policy': 'compact',
        'min_compaction_lag_ms': '86400000'}, ('key',)),
    RECREATED: Topic(4, {}, ()),
}

REFUSALS = ('INVALID_TIMESTAMP', 'INVALID_RECORD', 'MSG_SIZE_TOO_LARGE',
            'RECORD_LIST_TOO_LARGE')

# Each has a location of its name, and a share of the requests.

Producer = collections.namedtuple('Producer', 'share idempotent properties')

PRODUCERS = {
    'main': Producer(5, True, ['message.timeout.ms 5000']),
    'many': Producer(3, True, [
        'message.timeout.ms 4000', 'linger.ms 2', 'compression.type lz4',
        'max.in.flight.requests.per.connection 5']),
    'plain': Producer(2, False, [
        'message.timeout.ms 5000', 'enable.idempotence false']),
}
NAMES = list(PRODUCERS)

# one for each reload, in turn

PROPERTIES = [
    [],
    ['client.id second', 'retry.backoff.ms 50'],
    ['batch.num.messages 3'],
    ['socket.keepalive.enable true', 'topic.metadata.refresh.interval.ms 3000'],
]

# An answer came, but the topic was deleted or created meanwhile: nobody knows
# where to look for the message.

UNJUDGED = 'unjudged'

BLAMED = "refused for another one's fault"
UNORDERED = 'out of order within a key'
UNORDERED_MAYBE = 'out of order within a key, one of them "maybe"'
UNORDERED_PLAIN = 'the same by the producer that is not idempotent'

FAULTS = (ABSENT, ELSEWHERE, PRESENT, SENSELESS, STRANGE)


class Tally:
    """What callers count together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.statuses = collections.Counter()
        self.codes = collections.Counter()
        self.blamed = []
        self.late = 0
        self.longest = 0

    def count(self, exchange, outcomes, bad):
        response, _, seconds = exchange

        with self.lock:
            self.statuses[response.status if response else 'none'] += 1
            self.late += seconds > LONG
            self.longest = max(self.longest, seconds)

            for outcome, is_bad in zip(outcomes, bad):
                if outcome.code is not None:
                    self.codes[outcome.code, outcome.kind] += 1
                if outcome.code in REFUSALS and not is_bad:
                    self.blamed.append(outcome)


class Soaker(Caller):
    """Sends messages, one request after another, until it may end."""

    def __init__(self, number, soak):
        super().__init__(number, soak.server.port, f'{SEED}-{number}')
        self.soak = soak
        self.error = None

    def run(self):
        try:
            while not self.soak.calm.is_set():
                self.exchange()
                time.sleep(self.rand.random() * PAUSE)
        except BaseException as e:
            self.error = e
            raise
        finally:
            self.close()

    def exchange(self):
        rand = self.rand
        producer = rand.choices(NAMES, [p.share for p in PRODUCERS.values()])[0]
        kind = rand.choice(['path', 'one', 'GET', 'POST', 'mixed', 'mixed'])
        count = (1 if kind in ('path', 'one') else
                 50 if rand.random() < 0.03 else rand.randrange(1, 11))

        topics = [rand.choice(list(TOPICS))] * count
        if kind == 'mixed':
            topics = [rand.choice(list(TOPICS)) for _ in topics]

        first = self.soak.ledger.take(count)
        messages = [self.message(first + i, topic, kind == 'path')
                    for i, topic in enumerate(topics)]
        bad = [False] * count

        if kind != 'path' and rand.random() < 0.05:
            i = rand.randrange(count)
            bad[i] = self.spoil(messages[i])

        era = self.soak.era
        exchange = self.ask(self.request(kind, f'/{producer}', messages))
        if era % 2 == 1 or era != self.soak.era:
            era = -1

        outcomes = (cut(exchange.used, count) if exchange.response is None
                    else judge(exchange.response, topics))
        self.soak.tally.count(exchange, outcomes, bad)
        self.soak.ledger.write(first, [
            Entry(outcome, NAMES.index(producer),
                  int(message['key']) if message['key'] else None,
                  era if message['topic'] == RECREATED else 0)
            for outcome, message in zip(outcomes, messages)])

    def message(self, number, topic, plain):
        """A dictionary as in JSON: plain, it has a key and a value at most."""

        rand = self.rand
        key = None
        if rand.random() < 0.6 or topic == 'soak-compacted':
            key = str(self.number * KEYS + rand.randrange(KEYS))

        message = {'topic': topic, 'key': key,
                   'value': value_of(number, key, rand.randrange(1, 12))}
        if not plain and rand.random() < 0.2:
            message['partition'] = rand.randrange(TOPICS[topic].partitions)

        return message

    def spoil(self, message):
        """Makes it one that its topic refuses, if there is such a thing."""

        kinds = TOPICS[message['topic']].bad
        if not kinds:
            return False

        kind = self.rand.choice(kinds)
        if kind == 'timestamp':
            message['timestamp'] = self.rand.choice(
                [1, int((time.time() + 86400) * 1000)])
        elif kind == 'size':
            message['value'] = message['value'] * LARGE
            message['value'] = message['value'][:2 * LARGE]
        else:
            message['key'] = None

        return True

    def request(self, kind, location, messages):
        if kind == 'path':
            message, = messages
            key = '' if message['key'] is None else f'?key={message["key"]}'
            return self.head('GET', f'{location}/{message["topic"]}/'
                                    f'{message["value"]}{key}')

        body = json.dumps(messages[0] if kind == 'one' else
                          self.with_hopeless(messages)).encode()
        if self.rand.random() < 0.01:
            body = body[:-1]

        path = location if kind == 'mixed' else (
            f'{location}/{messages[0]["topic"]}')
        method = 'GET' if kind == 'GET' else 'POST'

        return (self.head(method, path, f'Content-Length: {len(body)}\r\n')
                + body)

    def with_hopeless(self, messages):
        """For once, a partition that is not there: no message is sent."""

        if self.rand.random() < 0.01:
            messages = [dict(message) for message in messages]
            messages[-1]['partition'] = 99

        return messages


def value_of(number, key, times):
    """It tells its number and key, and is whole if it is the same again and
    again.
    """

    return f'{number},{key},' * times


def number_of(value, key):
    """None for a value or a key that nobody sent."""

    number, _, rest = value.decode(errors='replace').partition(',')
    sent_key = rest.partition(',')[0]

    if not number.isdecimal():
        return None

    start = value_of(int(number), sent_key, 1).encode()
    whole = start * (len(value) // len(start) + 1)
    same_key = sent_key.encode() == (b'None' if key is None else key)

    return int(number) if whole.startswith(value) and same_key else None


class Trouble(threading.Thread):
    """Of one kind, again and again, until there is to be calm."""

    def __init__(self, soak, shortest, longest):
        super().__init__()
        self.soak = soak
        self.pauses = shortest, longest
        self.rand = random.Random(f'{SEED}-{type(self).__name__}')
        self.over = soak.over
        self.error = None

    def run(self):
        try:
            while not self.over.wait(self.rand.uniform(*self.pauses)):
                self.happen()
        except BaseException as e:
            self.error = e
            self.over.set()
            raise

    def count(self, what):
        self.soak.troubles[what] += 1


class Brokers(Trouble):
    """One node at a time, so that there is a quorum; now and then a second one
    hangs for a moment.
    """

    def happen(self):
        kind = self.rand.choice(['pause'] * 3 + ['kill'] * 2 + ['stop'])
        node, other = self.rand.sample(range(1, NODES + 1), 2)

        with self.soak.cluster:
            if self.over.is_set():
                return
            self.count(f'brokers: {kind}')
            self.util(kind, node)

            try:
                self.over.wait(self.rand.uniform(0.2, 6))
                if self.rand.random() < 0.2:
                    self.count('brokers: pause another one')
                    self.util('pause', other)
                    self.over.wait(self.rand.uniform(0.1, 2))
                    self.util('resume', other)
                self.over.wait(self.rand.uniform(0, 2))
            finally:
                self.util('resume' if kind == 'pause' else 'restart', node)

    def util(self, command, node):
        self.soak.kafka.util(command, str(node))


class Leaders(Trouble):
    def happen(self):
        topic = self.rand.choice(list(TOPICS))
        count = TOPICS[topic].partitions

        for partition in self.rand.sample(range(count),
                                          self.rand.randint(1, count)):
            nodes = list(range(1, NODES + 1))
            self.rand.shuffle(nodes)
            with contextlib.suppress(OSError):
                self.soak.admin.move_leader(topic, partition, nodes)
                self.count('leaders moved')


class Replicas(Trouble):
    """Never 1: what Kafka itself may lose then is no lie of nginx's."""

    def happen(self):
        topic = self.rand.choice(list(TOPICS))
        self.set(topic, '3')
        self.over.wait(self.rand.uniform(0.05, 1))
        self.set(topic, '2')

    def run(self):
        super().run()
        for topic in TOPICS:
            self.set(topic, '2')

    def set(self, topic, number):
        with contextlib.suppress(OSError):
            self.soak.admin.set_property(topic, 'min.insync.replicas', number)
            self.count('min.insync.replicas set')


class Processes(Trouble):
    def happen(self):
        kind = self.rand.choices(['reload', 'storm', 'kill', 'upgrade'],
                                 [4, 2, 2, 1])[0]
        self.count(f'nginx: {kind}')
        getattr(self, kind)()

    def reload(self):
        self.soak.reloads += 1
        self.soak.server.write(self.soak.block(), self.soak.locations())
        self.soak.server.reload()

    def storm(self):
        for _ in range(self.rand.randrange(2, 6)):
            self.soak.server.kill(signal.SIGHUP)
            time.sleep(self.rand.uniform(0, 0.3))
        self.reload()

    def kill(self):
        server = self.soak.server
        server.kill_worker(self.rand.choice(server.worker_pids()))
        kafkatest.wait_for(
            lambda: len(server.worker_pids()) == server.workers,
            server.patience, 'another worker')

    def upgrade(self):
        status = self.soak.server.upgrade()
        if status:
            raise RuntimeError(f'the old master ended with {status}')


class Recreation(Trouble):
    """What was acknowledged before is looked for before.  While the number of
    the era is odd, nobody knows which of the two topics an answer tells of.
    """

    def happen(self):
        soak = self.soak

        with soak.cluster:      # else a node that hangs knows the old one
            if self.over.is_set():
                return
            soak.era += 1
            soak.read([RECREATED])
            soak.confluent.delete_topics([RECREATED])[RECREATED].result(30)
            for node in soak.kafka.bootstrap.split(','):
                client = confluent_kafka.admin.AdminClient(
                    {'bootstrap.servers': node, 'log_level': 2})
                kafkatest.wait_for(lambda: self.is_gone(client), 60,
                                   f'{node} knows that it is gone')
            soak.create(RECREATED)
            soak.era += 1

        self.count('topics recreated')

    @staticmethod
    def is_gone(client):
        try:
            return RECREATED not in client.list_topics(timeout=10).topics
        except confluent_kafka.KafkaException:      # the node is busy
            return False


class Soak(kafkatest.TestCase):
    def test_soak(self):
        print(f'SOAK_SECONDS={SECONDS:g} SOAK_SEED={SEED}', flush=True)
        self.allow_files()

        self.ledger = Ledger()
        self.addCleanup(self.ledger.close)
        self.places = Places()
        self.strange = []
        self.tally = Tally()
        self.troubles = collections.Counter()
        self.era = 0
        self.reloads = 0
        self.over = threading.Event()
        self.calm = threading.Event()

        self.start_kafka()
        # an upgrade takes over only these

        options = [f'env {kind}_OPTIONS;' for kind in ('ASAN', 'LSAN', 'UBSAN')]
        self.server = kafkatest.Daemon(self.block(), self.locations(),
                                       ' '.join(options), workers=2)
        self.server.patience = 60
        self.start(self.server)
        self.addCleanup(self.server.kill_the_rest)

        start = time.monotonic()
        self.make_trouble()
        self.took = time.monotonic() - start

        self.assertEqual(self.server.stop(), 0, self.server.log())
        kafkatest.wait_for(lambda: not self.server.processes(), 60,
                           'all of nginx has ended')

        self.read(TOPICS)
        self.check()

    def allow_files(self):
        """A relay has eight for each connection."""

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    # Kafka

    def start_kafka(self):
        self.cluster = threading.Lock()     # who has it may hurt the brokers

        # Kafka 4.1.1 keeps a deleted topic among its eligible leader replicas
        # if min.insync.replicas was changed; then a node that was killed cannot
        # register any more, and ends itself

        self.kafka = kafkatest.Kafka(NODES, KAFKA_RELAYED='yes',
                                     KAFKA_ELR='no')
        self.addCleanup(self.kafka.stop)
        self.relayed = self.kafka.addresses('relayed')

        for address in self.relayed.split(','):
            port = int(address.rpartition(':')[2])
            relay = kafkatest.Relay(port, port - 1, 2 * DELAY)
            self.addCleanup(relay.stop)

        self.admin = kafkaadmin.Admin(self.kafka.bootstrap)
        self.confluent = confluent_kafka.admin.AdminClient(
            {'bootstrap.servers': self.kafka.bootstrap, 'log_level': 2})
        for topic in TOPICS:
            self.create(topic)

    def create(self, topic):
        self.kafka.topic(topic, TOPICS[topic].partitions, NODES,
                         min_insync_replicas='2', **TOPICS[topic].config)

    def read(self, topics):
        for topic, record in kafkatest.each_marked_record(
                self.kafka.bootstrap, topics):
            place = (in_era(topic, self.era // 2), record.partition,
                     record.offset)
            number = number_of(record.value, record.key)

            if number is None or number >= self.ledger.taken:
                self.strange.append((record.value[:100], None, [place]))
            else:
                self.places.add(number, *place)

    # nginx

    def block(self):
        return '\n    '.join(
            kafkatest.producer(self.relayed, *producer.properties,
                               *PROPERTIES[self.reloads % len(PROPERTIES)])
            .replace(' main ', f' {name} ')
            for name, producer in PRODUCERS.items())

    def locations(self):
        # what is logged of connections would fill the disk in an hour

        return '\n        '.join([
            'access_log off;', 'error_log error.log warn;',
            *(f'location /{name} {{ kafka_produce {name}; }}'
              for name in PRODUCERS)])

    # the time in between

    def make_trouble(self):
        callers = [Soaker(i, self) for i in range(CALLERS)]
        troubles = [Brokers(self, 0.5, 4), Leaders(self, 0.1, 2),
                    Replicas(self, 0.1, 2), Processes(self, 0.5, 4),
                    Recreation(self, 8, 25)]

        for thread in callers + troubles:
            thread.start()

        try:
            self.over.wait(SECONDS)
            self.over.set()
            for trouble in troubles:
                trouble.join()
            self.recover()
        finally:
            self.over.set()
            self.calm.set()
            for thread in callers + troubles:
                thread.join()

        for thread in callers + troubles:
            self.assertIsNone(thread.error)

    def recover(self):
        """After all trouble, each producer serves each topic again."""

        for number, name in enumerate(NAMES):
            for topic in TOPICS:
                kafkatest.wait_for(lambda: self.serves(number, name, topic),
                                   60, f'{name} serves {topic}')

    def serves(self, producer, name, topic):
        key = str(CALLERS * KEYS)
        number = self.ledger.take(1)
        answer = self.server.post(f'/{name}/{topic}', [
            {'key': key, 'value': value_of(number, key, 1)}])
        outcome, = judge(answer, [topic])
        self.ledger.write(number, [
            Entry(outcome, producer, int(key),
                  self.era if topic == RECREATED else 0)])

        return answer.status == 200

    # what is there

    def check(self):
        reports = self.reports()
        bad_lines = [line for line in self.server.log().splitlines()
                     if kafkatest.BAD_LINE.search(line)
                     and not self.server.of_killed(line)
                     or 'exited with code' in line and 'code 0' not in line]
        sums = Sums()
        faults = compare(sums.add(*case) for case in self.cases())
        faults[STRANGE] += self.strange
        table(self, sums, faults, len(bad_lines), len(reports))
        self.tell_of_absent(faults[ABSENT])

        for fault in FAULTS:
            with self.subTest(fault):
                self.assertEqual(faults[fault][:20], [])
        for name, found in ((BLAMED, self.tally.blamed),
                            ('bad lines', bad_lines), ('reports', reports)):
            with self.subTest(name):
                self.assertEqual(found[:20], [])
        if ONCE:
            self.assertEqual(sums.double['idempotent'], 0)
        self.assertGreater(sums.kinds[ACKED], SECONDS * 20)

    def tell_of_absent(self, cases):
        """Where Kafka has another message in the place, it has lost one."""

        claimed = {outcome[1:4]: value for value, outcome, _ in cases
                   if outcome.offset is not None}
        for number, _, places in self.cases() if claimed else ():
            for place in claimed.keys() & set(places):
                print(f'{claimed[place]} was to be where {number} is: {place}')

    def cases(self):
        """Of all numbers: number, entry, places."""

        for number, entry in enumerate(self.ledger):
            yield number, entry, self.places.of(number)

    def reports(self):
        """Those that util/sanitize.sh's nginx writes."""

        root = os.environ.get('TEST_NGINX_SERVROOT', 'nginx.servroot')
        root = root.removesuffix('.servroot')

        return [path for path in glob.glob(f'{glob.escape(root)}.report.*')
                if os.path.getsize(path)]


def in_era(topic, era):
    return f'{topic}#{era}' if topic == RECREATED else topic


class Sums:
    """Passes on what is compared, and counts it."""

    def __init__(self):
        self.kinds = collections.Counter()
        self.double = collections.Counter()
        self.unordered = collections.Counter()
        self.null = 0
        self.last = {}          # of a key: its last record's offset and kind

    def add(self, number, entry, places):
        outcome = self.outcome(entry)
        kind = outcome.kind if outcome else None

        self.kinds[kind] += 1
        self.null += kind == ACKED and outcome.offset is None

        if len(places) > 1:
            topics = {place[0] for place in places}
            who = PRODUCERS[NAMES[entry.producer]]
            self.double['in two of a name' if len(topics) > 1 else
                        'idempotent' if who.idempotent else 'plain'] += 1

        if entry.key is not None and places:
            self.follow(entry.key, kind, min(places),
                        PRODUCERS[NAMES[entry.producer]].idempotent)

        return f'{number} by {NAMES[entry.producer]}', outcome, places

    def outcome(self, entry):
        outcome = entry.outcome

        if outcome is None:
            return None

        if entry.era == -1 and outcome.kind in (ACKED, YES):
            return Outcome(UNJUDGED)

        if outcome.topic is not None:
            return outcome._replace(topic=in_era(outcome.topic,
                                                 entry.era // 2))

        return outcome

    def follow(self, key, kind, place, idempotent):
        topic, partition, offset = place
        last, last_kind = self.last.get((topic, partition, key), (-1, kind))

        if offset < last:
            both = kind == last_kind == ACKED
            self.unordered[UNORDERED_PLAIN if not idempotent else
                           UNORDERED if both else UNORDERED_MAYBE] += 1
        else:
            self.last[topic, partition, key] = offset, kind


def table(soak, sums, faults, bad_lines, reports):
    tally = soak.tally
    messages = soak.ledger.taken
    maybe = sums.kinds[MAYBE]

    rows = [
        ('seconds', f'{soak.took:.0f}'),
        *sorted(soak.troubles.items()),
        ('requests', sum(tally.statuses.values())),
        *((f'   status {status}', count) for status, count
          in sorted(tally.statuses.items(), key=str)),
        (f'   longer than {LONG} s', tally.late),
        ('   the longest, in seconds', f'{tally.longest:.1f}'),
        ('messages', messages),
        ('   acknowledged', sums.kinds[ACKED]),
        ('      without an offset', sums.null),
        ('   acknowledged while the topic was changed', sums.kinds[UNJUDGED]),
        ('   "yes"', sums.kinds[YES]),
        ('   "no"', sums.kinds[NO]),
        ('   "maybe"', maybe),
        ('   "maybe", per cent', f'{100 * maybe / messages:.2f}'),
        ('   cut', sums.kinds[CUT_NEW] + sums.kinds[CUT_KEPT]),
        *((f'   {code}, "{kind}"', count) for (code, kind), count
          in sorted(tally.codes.items())),
        ('duplicates by idempotent producers', sums.double['idempotent']),
        ('duplicates by the other one', sums.double['plain']),
        ('in a topic and in the next one of its name',
         sums.double['in two of a name']),
        *((name, sums.unordered[name])
          for name in (UNORDERED, UNORDERED_MAYBE, UNORDERED_PLAIN)),
        ('these must be 0:', ''),
        *((fault, len(faults[fault])) for fault in FAULTS),
        (BLAMED, len(tally.blamed)),
        ('[alert] lines, crashes', bad_lines),
        ("sanitizers' reports", reports),
    ]
    for name, number in rows:
        print(f'{name:50} {number:>9}', flush=True)


class Judging(kafkatest.TestCase):
    """What is written is read again; each fault of order is seen."""

    def test_values(self):
        value = value_of(17, 'k', 3).encode()
        self.assertEqual(number_of(value, b'k'), 17)
        self.assertEqual(number_of(value[:-2], b'k'), 17)
        self.assertEqual(number_of(value_of(1, None, 2).encode(), None), 1)

        for bad in (b'', b'mark', value[1:], value.replace(b'k,17', b'k,\xff7'),
                    value + b'x'):
            self.assertIsNone(number_of(bad, b'k'), bad)
        for key in (b'l', None):
            self.assertIsNone(number_of(value, key), key)

    def test_ledger(self):
        ledger = Ledger()
        self.addCleanup(ledger.close)
        entries = [
            Entry(Outcome(ACKED, 'soak-plain', 5, 1 << 40), 0, 0, 0),
            Entry(Outcome(ACKED, RECREATED, 0, None), 2, None, -1),
            Entry(Outcome(MAYBE, code='_PURGE_QUEUE'), 1, 191, 6),
        ]
        self.assertEqual(ledger.take(1), 0)
        self.assertEqual(ledger.take(3), 1)
        ledger.write(1, entries)
        self.assertEqual(list(ledger), [Entry(None, 0, None, 0), *entries])

    def test_places(self):
        places = Places()
        places.add(3, 'soak-plain', 5, 1 << 39)
        places.add(1, 'soak-other', 0, 0)
        places.add(3, f'{RECREATED}#2', 1, 2)
        self.assertEqual([places.of(i) for i in range(5)], [
            [], [('soak-other', 0, 0)], [],
            [('soak-plain', 5, 1 << 39), (f'{RECREATED}#2', 1, 2)], []])

    def faults(self, *cases):
        """Of (outcome, era, places): how many of each."""

        self.sums = Sums()
        found = compare(
            self.sums.add(i, Entry(outcome, 0, 7, era), places)
            for i, (outcome, era, places) in enumerate(cases))

        return {fault: len(of) for fault, of in found.items() if of}

    def test_eras(self):
        acked = Outcome(ACKED, RECREATED, 1, 5)
        there = (f'{RECREATED}#1', 1, 5)
        self.assertEqual(self.faults((acked, 2, [there])), {})
        self.assertEqual(self.faults((acked, 4, [there])), {ELSEWHERE: 1})
        self.assertEqual(self.faults((acked, 2, [])), {ABSENT: 1})
        self.assertEqual(self.faults((acked, -1, [])), {})
        self.assertEqual(self.faults((Outcome(NO), -1, [there])), {PRESENT: 1})
        self.assertEqual(self.faults((Outcome(ODD), -1, [])), {SENSELESS: 1})
        self.assertEqual(self.sums.kinds, {ODD: 1})

    def test_double(self):
        places = [('soak-plain', 1, 5), ('soak-plain', 1, 6)]
        self.assertEqual(self.faults((Outcome(MAYBE), 0, places)), {DOUBLE: 1})
        self.assertEqual(self.sums.double, {'idempotent': 1})

        places[0] = (f'{RECREATED}#0', 1, 5)
        self.assertEqual(self.faults((Outcome(MAYBE), 0, places)), {DOUBLE: 1})
        self.assertEqual(self.sums.double, {'in two of a name': 1})

    def test_order(self):
        def put(kind, offset, partition=1):
            return (Outcome(kind, 'soak-plain', partition, offset), 0,
                    [('soak-plain', partition, offset)])

        self.faults(put(ACKED, 5), put(ACKED, 4, 2), put(ACKED, 6))
        self.assertEqual(self.sums.unordered, {})

        self.faults(put(ACKED, 5), put(ACKED, 4), put(ACKED, 6))
        self.assertEqual(self.sums.unordered, {UNORDERED: 1})

        self.faults(put(MAYBE, 5), put(ACKED, 4))
        self.assertEqual(self.sums.unordered, {UNORDERED_MAYBE: 1})


if __name__ == '__main__':
    kafkatest.unittest.main()
