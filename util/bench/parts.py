"""The parts of the benchmark; each is measured against Kafkas of its own."""

import concurrent.futures
import contextlib
import http.client
import itertools
import mmap
import os
import struct
import threading
import time

import rig
from rig import Load, kafkatest

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

        # the broker's code is compiled while it is used, for seconds on end

        raw = rig.Raw(kafka, run.raw_properties())
        seconds = 5 + 2 * run.seconds
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


def client(nginx):
    return http.client.HTTPConnection('127.0.0.1', nginx.port, timeout=30)


def post(conn, text, topic=rig.TOPIC):
    conn.request('POST', f'/produce/{topic}', text)
    answer = conn.getresponse()
    found = answer.read()

    if answer.status != 200:
        raise RuntimeError(f'{answer.status} {found[:200]}')


# memory

LARGE = 16 << 20


def memory(run):
    """What a worker holds, in kB."""

    with warm_kafka(run) as kafka:
        properties = {**run.properties, 'message.max.bytes': 2 * LARGE}

        with run.running(rig.Nginx(kafka, 1, properties=properties)) as nginx:
            grow(run, nginx)

        for number in range(run.rounds):
            for what, load in PEAKS.items():
                with run.running(rig.Nginx(kafka, 1,
                                           properties=properties)) as nginx:
                    peak(run, number, what, load, nginx)


def grow(run, nginx):
    """Batches by four clients; the worker's memory every now and then."""

    text = rig.body(100, 1000)
    counter = itertools.count(1)
    batches = run.messages // 1000
    samples = []
    pid, = nginx.worker_pids()

    def work():
        conn = client(nginx)
        while (number := next(counter)) <= batches:
            post(conn, text)
            if number % 20 == 0:
                samples.append((number * 1000,
                                rig.status_kb(pid, 'VmRSS')))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result()

    run.add('memory', what='growth', samples=sorted(samples))


def peak(run, number, what, load, nginx):
    pid, = nginx.worker_pids()
    post(client(nginx), rig.body(100, 1))
    before = rig.status_kb(pid, 'VmRSS')

    # resets VmHWM

    with open(f'/proc/{pid}/clear_refs', 'w', encoding='ascii') as f:
        f.write('5')

    clients, size, count = load
    text = rig.body(size, count)

    if clients == 1:
        post(client(nginx), text)
    else:
        slowly(nginx, clients, text)

    run.add('memory', what=what, round=number, clients=clients,
            body=clients * len(text), messages=clients * count,
            peak=rig.status_kb(pid, 'VmHWM') - before)


def slowly(nginx, clients, text):
    """All send a piece, and again, over some two seconds."""

    head = (f'POST /produce/{rig.TOPIC} HTTP/1.1\r\nHost: a\r\n'
            f'Content-Length: {len(text)}\r\n\r\n').encode()
    step = len(text) // 20 + 1
    pieces = [head] + [text[i:i + step] for i in range(0, len(text), step)]
    sockets = [nginx.connect() for _ in range(clients)]

    for piece in pieces:
        for s in sockets:
            s.sendall(piece)
        time.sleep(0.1)

    for s in sockets:
        answer = kafkatest.read_response(s)
        if answer.status != 200:
            raise RuntimeError(answer)
        s.close()


# clients, bytes a value, messages a request: 16 MB each

PEAKS = {
    '1 message': (1, LARGE - 12, 1),
    '100,000 messages': (1, LARGE // 100_000 - 13, 100_000),
    '1,000 slow clients': (1000, LARGE // 1000 - 12, 1),
}


# fairness

def fairness(run):
    """return 200 in a worker that gets 16 MB of small messages at a time."""

    path = os.path.join(rig.BENCH, 'turns')

    with open(path, 'wb') as f:
        f.write(bytes(16))

    preload = {'LD_PRELOAD': path + '.so', 'TURNS': path}

    with (warm_kafka(run) as kafka,
          run.running(rig.Nginx(kafka, 1, properties=run.properties,
                                preload=preload)) as nginx,
          open(path, 'r+b') as f, mmap.mmap(f.fileno(), 16) as turns):

        url = f'http://127.0.0.1:{nginx.port}/floor'
        seconds = max(2, 2 * run.seconds)

        for number in range(run.rounds):
            for busy in False, True:
                with (batches(nginx) if busy
                      else contextlib.nullcontext([])) as sent:
                    turns[:] = bytes(16)
                    figures = rig.wrk(url, Load(100, 1, 1), seconds)
                    used, clock = struct.unpack('QQ', turns)

                run.add('fairness', busy=busy, round=number,
                        sent=len(sent), turn_cpu=used / 1e3,
                        turn_clock=clock / 1e3, **figures)


@contextlib.contextmanager
def batches(nginx):
    """16 MB of small messages, again and again, by one client."""

    sent = []
    ended = threading.Event()
    _, size, count = PEAKS['100,000 messages']
    text = rig.body(size, count)

    def work():
        conn = client(nginx)
        while not ended.is_set():
            post(conn, text)
            sent.append(True)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = pool.submit(work)
        try:
            yield sent
        finally:
            ended.set()
            done.result()


# the first message

def first(run):
    """How long the first messages of a worker take, in milliseconds."""

    with warm_kafka(run) as kafka:
        kafka.topic('another', run.partitions)

        for number in range(4 * run.rounds):
            idle = number % 2
            new = kafka.topic(f'new-{number}', run.partitions)

            with run.running(rig.Nginx(kafka, 1,
                                       properties=run.properties)) as nginx:
                time.sleep(idle)
                conn = client(nginx)

                for what, topic in (
                        (f'first, {idle} s after the start', rig.TOPIC),
                        ('the same topic again', rig.TOPIC),
                        ('another topic', 'another'),
                        ('a topic just created', new)):
                    began = time.monotonic()
                    post(conn, rig.body(100, 1), topic)
                    run.add('first', what=what, round=number,
                            ms=1e3 * (time.monotonic() - began))
