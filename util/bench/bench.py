#!/usr/bin/python3
"""Runs the benchmark: see util/bench.sh."""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time

import keys
import parts
import plot
import report
import rig
import sweep

PARTS = {**{name: getattr(parts, name) for name in (
    'single', 'batch', 'replicas', 'peers', 'memory', 'fairness', 'first')},
         'keys': keys.keys, 'sweep': sweep.sweep}
USUAL = [name for name in PARTS if name != 'sweep']

# rounds, seconds of warm-up and of measuring for a sample, messages for the
# part "memory"

LENGTHS = {
    'short': (3, 0.2, 0.4, 200_000),
    'usual': (5, 0.3, 1.5, 1_000_000),
    'long': (7, 0.5, 3, 10_000_000),
}


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip()


def machine():
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        model = re.search(r'^model name\s*: (.*)', f.read(), re.M)

    return {
        'date': datetime.datetime.now(datetime.timezone.utc)
                .isoformat(timespec='seconds'),
        'commit': output('git', '-C', rig.ROOT, 'describe', '--always',
                         '--dirty'),
        'cpu': model[1] if model else platform.machine(),
        'cores': os.cpu_count(),
        'kernel': platform.release(),
        'nginx': output('/usr/sbin/nginx', '-v').rpartition('/')[2],
        'librdkafka': output('pkg-config', '--modversion', 'rdkafka'),
        'kafka': rig.KAFKA_VERSION,
        'kafka of the peers': rig.KAFKA_VERSION_OLD,
        'lua-resty-kafka': output('dpkg-query', '-W', '-f', '${Version}',
                                  'lua-nginx-kafka'),
        'go': output('go', 'env', 'GOVERSION'),
        'wrk': output('dpkg-query', '-W', '-f', '${Version}', 'wrk'),
        'java': output('java', '-version').split('\n', maxsplit=1)[0],
    }


def arguments():
    p = argparse.ArgumentParser(prog='util/bench.sh', allow_abbrev=False)
    length = p.add_mutually_exclusive_group()

    for name in 'short', 'long':
        length.add_argument(f'--{name}', dest='length', action='store_const',
                            const=name, default='usual')

    p.add_argument('--rounds', type=int)
    p.add_argument('--seconds', type=float, help='of each sample')
    p.add_argument('--partitions', type=int, default=1)
    p.add_argument('--set', action='append', default=[], metavar='NAME=VALUE',
                   help="a property of librdkafka's, for module and raw loop")
    p.add_argument('--against', metavar='FILE.so',
                   help='another build of the module, measured in turn')
    p.add_argument('--out', help='build/bench/results.json')
    p.add_argument('parts', nargs='*', metavar='PART',
                   choices=[*PARTS, []], help=' '.join(PARTS))

    args = p.parse_args()
    args.properties = dict(pair.split('=', 1) for pair in args.set)

    return args


class Run:
    """What the parts need to know, and where their samples go."""

    def __init__(self, args):
        rounds, self.warm, seconds, self.messages = LENGTHS[args.length]
        self.rounds = args.rounds or rounds
        self.seconds = args.seconds or seconds
        self.length = args.length
        self.partitions = args.partitions
        self.properties = args.properties
        self.against = args.against
        self.samples = []

    def add(self, part, **sample):
        self.samples.append({'part': part, **sample})

    @staticmethod
    def progress(text):
        print(time.strftime('%H:%M:%S'), text, file=sys.stderr, flush=True)

    def raw_properties(self):
        return {**rig.defaults(), **self.properties}

    @contextlib.contextmanager
    def running(self, server):
        """Starts what has a start(), and ends it."""

        if hasattr(server, 'start'):
            server.start()
        try:
            yield server
        finally:
            server.stop()

    def pairs(self, part, competitors, loads, **more):
        """Measures all of them in turn, as many rounds as there are."""

        for load in loads:
            for number in range(self.rounds):
                # each is the first once in a while

                turn = number % len(competitors)

                for c in competitors[turn:] + competitors[:turn]:
                    figures = c.sample(load, self.warm, self.seconds)
                    self.add(part, who=c.who, workers=c.workers,
                             round=number, **load._asdict(), **more,
                             **figures)

            self.progress(f'{part}: {load.size} bytes, {load.count} a request, '
                          f'{load.connections} connections')

    def save(self, path, facts):
        with open(path + '.new', 'w', encoding='utf-8') as f:
            json.dump({**facts, 'rounds': self.rounds, 'warm': self.warm,
                       'seconds': self.seconds, 'partitions': self.partitions,
                       'properties': self.raw_properties(),
                       'samples': self.samples}, f, indent=1)
        os.rename(path + '.new', path)


def stop(number, frame):
    sys.exit(128 + number)


def main():
    args = arguments()
    chosen = args.parts or USUAL
    path = args.out or os.path.join(rig.BENCH, 'results.json')
    run = Run(args)
    facts = machine()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)

    for part in chosen:
        run.progress(part)
        PARTS[part](run)
        run.save(path, facts)

    with open(path, encoding='utf-8') as f:
        results = json.load(f)

    report.show(results)
    plots = plot.draw(results, os.path.dirname(path))

    print('\nAll figures:', *map(os.path.relpath, [path, *plots]))


if __name__ == '__main__':
    main()
