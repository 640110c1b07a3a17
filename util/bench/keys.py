"""Messages with keys, over partitions and round trips: each partition's are a
request of their own."""

import contextlib
import itertools
import os

import parts
import rig
from rig import Load
from sweep import Kafka

RTTS = (0, 1, 5)                # milliseconds
PARTITIONS = (1, 12, 100)


def keys(run):
    # wrk makes its requests first
    run.warm = max(run.warm, 1)

    brokers = Kafka()
    try:
        with contextlib.ExitStack() as stack:
            competitors = start(run, stack, brokers)
            for rtt, partitions in itertools.product(RTTS, PARTITIONS):
                brokers.go(rtt)
                for c in competitors:
                    c.url = c.base + f'/produce/p{partitions}'
                kinds = ['uniform']
                if rtt == 1 and partitions == 12:
                    kinds.append('zipf')
                run.pairs('keys', competitors,
                          [Load(100, 1, 64, kind) for kind in kinds],
                          rtt=rtt, partitions=partitions)
    finally:
        brokers.stop()


def start(run, stack, brokers):
    servers = [c for c in parts.modules(run, stack, brokers, 1)
               if c.who != 'return 200']
    servers.append(stack.enter_context(run.running(rig.Program(
        'Go service', [os.path.join(rig.BENCH, 'go-service')], brokers))))

    for c in servers:
        c.base = c.url[:c.url.index('/', len('http://'))]

    return servers
