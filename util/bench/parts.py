"""The parts of the benchmark; each is measured against Kafkas of its own."""

import contextlib
import os

import rig
from rig import Load

CONNECTIONS = (1, 8, 64, 512)
SIZES = (100, 1000)

# messages a request, and connections: what these have on their way at the end
# is not counted

BATCHES = ((10, 8), (100, 8), (1000, 8), (10000, 4))


@contextlib.contextmanager
def warm_kafka(run, version=rig.KAFKA_VERSION, nodes=1):
    kafka = rig.Kafka(version, nodes)

    try:
        kafka.topic(rig.TOPIC, run.partitions)

        # the broker's code is compiled while it is used

        raw = rig.Raw(kafka, run.raw_properties())
        seconds = 2 + 2 * run.seconds
        raw.sample(Load(100, 1, 64), 0, seconds)
        raw.sample(Load(100, 1000, 1), 0, seconds)
        yield kafka
    finally:
        kafka.stop()


def modules(run, stack, kafka, workers):
    """The module with so many workers, another build of it, and the floor."""

    found = []
    builds = [('module', rig.MODULE)]

    if run.against:
        builds.append(('against', os.path.abspath(run.against)))

    for who, module in builds:
        nginx = stack.enter_context(run.running(
            rig.Nginx(kafka, workers, module, run.properties)))
        found.append(rig.Location(who, nginx, f'/produce/{rig.TOPIC}'))

        if who == 'module':
            found.append(rig.Location('return 200', nginx, '/floor'))

    return found


def single(run):
    """One message a request, against one broker."""

    with warm_kafka(run) as kafka, contextlib.ExitStack() as stack:
        competitors = [*modules(run, stack, kafka, 1),
                       *modules(run, stack, kafka, 2),
                       rig.Raw(kafka, run.raw_properties())]
        run.pairs('single', competitors,
                  [Load(size, 1, n) for size in SIZES for n in CONNECTIONS])


def batch(run):
    """Many messages a request, against one broker."""

    with warm_kafka(run) as kafka, contextlib.ExitStack() as stack:
        many(run, 'batch', kafka, stack, SIZES, BATCHES)


def many(run, part, kafka, stack, sizes, batches):
    competitors = [c for c in modules(run, stack, kafka, 1)
                   if c.who != 'return 200']
    competitors.append(rig.Raw(kafka, run.raw_properties()))
    run.pairs(part, competitors, [Load(size, count, connections)
                                  for size in sizes
                                  for count, connections in batches])


def replicas(run):
    """Three brokers, a topic with replication 3."""

    with warm_kafka(run, nodes=3) as kafka, contextlib.ExitStack() as stack:
        competitors = [*modules(run, stack, kafka, 1),
                       rig.Raw(kafka, run.raw_properties())]
        run.pairs('replicas', competitors,
                  [Load(100, 1, n) for n in CONNECTIONS])
        many(run, 'replicas', kafka, stack, SIZES[:1], ((1000, 8),))


def peers(run):
    """What one would take instead, against a Kafka that all can talk to."""

    with (warm_kafka(run, rig.KAFKA_VERSION_OLD) as kafka,
          contextlib.ExitStack() as stack):
        competitors = modules(run, stack, kafka, 1)
        lua = stack.enter_context(run.running(rig.Lua(kafka)))
        competitors.append(
            rig.Location('lua-resty-kafka', lua, f'/produce/{rig.TOPIC}'))

        for who, command in (
                ('Go service', [os.path.join(rig.BENCH, 'go-service')]),
                ('Python service',
                 [os.environ['BENCH_PYTHON'],
                  os.path.join(rig.HERE, 'aio.py')])):
            competitors.append(stack.enter_context(
                run.running(rig.Program(who, command, kafka))))

        run.pairs('peers', competitors, [Load(100, 1, n) for n in CONNECTIONS])
