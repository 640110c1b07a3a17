"""Properties against round trips, partitions and connections."""

import contextlib
import itertools
import json
import os
import subprocess

import rig
from rig import Load, kafkatest

RTTS = (0, 1, 5, 20)            # milliseconds
PARTITIONS = (1, 12, 100)
CONNECTIONS = (1, 64, 512)

# with linger.ms 0, librdkafka gives each message without a key a partition of
# its own, unless told to stay with one for a while: "sticky"

VARIANTS = [{'max.in.flight.requests.per.connection': n,
             'enable.idempotence': idempotent,
             'sticky.partitioning.linger.ms': sticky}
            for idempotent, sticky in (('true', 0), ('false', 0), ('true', 10))
            for n in (1, 2, 5)]

KEY = ('brokers', 'rtt', 'round', 'partitions', 'connections', 'properties')


class Mock(kafkatest.Mock):
    """librdkafka's mock cluster, which delays its answers itself."""

    def __init__(self):
        super().__init__()
        for n in PARTITIONS:
            self.command(f'topic p{n} {n}')

    def go(self, rtt):
        self.command(f'rtt -1 {rtt}')


class Kafka:
    """A real one, whose clients know no way to it but through the relay."""

    def __init__(self):
        self.port = kafkatest.free_port()
        self.bootstrap = f'127.0.0.1:{self.port}'
        self.relay = None
        self.kafka = rig.Kafka(properties='advertised.listeners='
                                          f'PLAINTEXT://{self.bootstrap}\n')

        try:
            self.far = self.kafka.bootstrap.rpartition(':')[2]
            self.kafka.bootstrap = self.bootstrap
            self.go(0)
            for n in PARTITIONS:
                self.kafka.topic(f'p{n}', n)
        except BaseException:
            self.stop()
            raise

    def go(self, rtt):
        self.end_relay()
        self.relay = subprocess.Popen(
            [os.path.join(rig.BENCH, 'relay'), str(self.port), self.far,
             str(rtt * 1000)])

    def end_relay(self):
        if self.relay:
            self.relay.kill()
            self.relay.wait()

    def stop(self):
        self.end_relay()
        self.kafka.stop()


class Store:
    """A line for each sample, so that a run goes on where one was ended."""

    def __init__(self, path):
        self.samples = []

        with contextlib.suppress(FileNotFoundError), \
                open(path, encoding='ascii') as f:
            self.samples = [json.loads(line) for line in f]

        self.done = {self.key(s) for s in self.samples}
        self.out = open(path, 'a', encoding='ascii')

    @staticmethod
    def key(sample):
        return json.dumps([sample[name] for name in KEY])

    def add(self, sample):
        self.samples.append(sample)
        self.done.add(self.key(sample))
        print(json.dumps(sample), file=self.out, flush=True)


def sweep(run):
    store = Store(os.path.join(rig.BENCH, 'sweep.jsonl'))

    for number, (name, kind) in itertools.product(
            range(run.rounds), (('mock', Mock), ('kafka', Kafka))):
        cells = [(rtt, cell) for rtt in RTTS
                 for cell in todo(run, store, number, name, rtt)]

        if not cells:
            continue

        brokers = kind()
        try:
            for rtt, group in itertools.groupby(cells, lambda c: c[0]):
                brokers.go(rtt)
                measure(run, store, brokers, rtt, [cell for _, cell in group])
                run.progress(f'sweep: round {number}, {name}, {rtt} ms')
        finally:
            brokers.stop()

    for sample in store.samples:
        run.add('sweep', **sample)


def todo(run, store, number, name, rtt):
    for partitions, connections in itertools.product(PARTITIONS, CONNECTIONS):
        turn = number % len(VARIANTS)

        for variant in VARIANTS[turn:] + VARIANTS[:turn]:
            cell = dict(zip(KEY, (name, rtt, number, partitions, connections,
                                  {**run.properties, **variant})))
            if store.key(cell) not in store.done:
                yield cell


def measure(run, store, brokers, rtt, cells):
    sets = []
    for cell in cells:
        if cell['properties'] not in sets:
            sets.append(cell['properties'])

    http = ''.join(rig.producer(f'v{i}', brokers.bootstrap, properties)
                   for i, properties in enumerate(sets))
    server = ''.join(f'location /v{i} {{ kafka_produce v{i}; }}\n'
                     for i in range(len(sets)))

    with run.running(rig.Nginx(brokers, 1, http=http,
                               server=server)) as nginx:
        for cell in cells:
            place = rig.Location(
                'module', nginx,
                f'/v{sets.index(cell["properties"])}/p{cell["partitions"]}')
            figures = place.sample(Load(100, 1, cell['connections']),
                                   run.warm + rtt / 20, run.seconds)
            store.add({**cell, **figures})
