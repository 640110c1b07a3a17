"""What the benchmark's parts share: servers, load, and their figures."""

import collections
import contextlib
import json
import os
import random
import re
import string
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BENCH = os.path.join(ROOT, 'build/bench')

sys.path.insert(0, os.path.join(ROOT, 't/lib'))

import kafkatest

MODULE = os.path.join(ROOT, 'build/ngx_http_kafka_module.so')
TOPIC = 'bench'

KAFKA_VERSION = '4.1.1'
KAFKA_VERSION_OLD = '3.9.1'     # the last line that lua-resty-kafka can talk to

# so that a long run does not fill the disk

BROKER = '''
log.segment.bytes=67108864
log.retention.bytes=268435456
log.retention.check.interval.ms=5000
log.segment.delete.delay.ms=1000
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
'''

# messages of so many bytes, one or an array of `count` in a request; one may
# have a key, which is drawn as "uniform" or "zipf"

Load = collections.namedtuple('Load', 'size count connections keys',
                              defaults=('',))


def defaults():
    """The properties that the module sets, as its source has them."""

    with open(os.path.join(ROOT, 'src/kafka/ngx_http_kafka_conf.c'),
              encoding='utf-8') as f:
        table = re.search(r'conf_defaults\[\] = \{(.*?)\{ NULL', f.read(),
                          re.S)

    return dict(re.findall(r'\{ "([^"]+)", "([^"]*)" \}', table[1]))


def cpu(pids):
    """CPU seconds of processes, all of their threads included."""

    return sum(kafkatest.cpu_seconds(pid) for pid in pids)


def status_kb(pid, field):
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return int(re.search(rf'^{field}:\s+(\d+) kB', f.read(), re.M)[1])


def settle(pids):
    """Waits until they have done what their clients did not wait for."""

    for _ in range(100):
        before = cpu(pids)
        time.sleep(0.05)
        if cpu(pids) - before < 0.02:
            break


def body(size, count):
    """A message, or an array of them."""

    text = ''.join(random.Random(1).choices(string.ascii_letters, k=size))
    message = json.dumps({'value': text}, separators=(',', ':'))

    if count == 1:
        return message.encode()

    return f'[{",".join([message] * count)}]'.encode()


def body_file(load):
    path = os.path.join(BENCH, f'body-{load.size}-{load.count}')

    if not os.path.exists(path):
        with open(path, 'wb') as f:
            f.write(body(load.size, load.count))

    return path


def wrk(url, load, seconds):
    # wrk counts in whole seconds, but ends well by SIGINT; a client elsewhere
    # would not preempt what it waits for, so it must not here, either

    process = subprocess.Popen(
        ['chrt', '--batch', '0',
         'wrk', '-t1', f'-c{load.connections}', '-d60', '--timeout', '30s',
         '-s', os.path.join(HERE, 'post.lua'), url, '--', body_file(load),
         *filter(None, [load.keys])],
        stdout=subprocess.PIPE, text=True)

    try:
        time.sleep(seconds)

        # it hears none as long as it makes its requests

        for _ in range(60):
            process.send_signal(2)
            with contextlib.suppress(subprocess.TimeoutExpired):
                out = process.communicate(timeout=1)[0]
                break
        else:
            raise RuntimeError('wrk does not end')
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()

    if not out.rstrip().endswith('}'):
        raise RuntimeError(f'wrk: {out}')

    return json.loads(out.splitlines()[-1])


class Kafka(kafkatest.Kafka):
    def __init__(self, version=KAFKA_VERSION, nodes=1, properties=''):
        path = os.path.join(BENCH, 'broker.properties')

        with open(path, 'w', encoding='ascii') as f:
            f.write(BROKER + properties)

        # the JVM's own compilers, and room

        os.environ.update(KAFKA_VERSION=version, KAFKA_PROPS=path,
                          KAFKA_OPTS='', KAFKA_HEAP='512m')
        super().__init__(nodes)
        self.version = version
        self.nodes = nodes
        self.pids = [int(pid) for pid in self.util('pids').split()]


class Http:
    """One that is asked by HTTP; its subclasses know its processes."""

    def __init__(self, who, port, path, workers):
        self.who = who
        self.workers = workers
        self.url = f'http://127.0.0.1:{port}{path}'

    def sample(self, load, warm, seconds):
        wrk(self.url, load, warm)

        pids = self.pids()
        before = cpu(pids)
        figures = wrk(self.url, load, seconds)
        used = cpu(pids) - before

        settle(pids)

        return {**figures, 'messages': figures['requests'] * load.count,
                'cpu': used}


class Location(Http):
    """A location of an nginx."""

    def __init__(self, who, nginx, path):
        super().__init__(who, nginx.port, path, nginx.workers)
        self.pids = nginx.worker_pids


class Program(Http):
    """A service of its own, that takes PORT and BOOTSTRAP."""

    def __init__(self, who, command, kafka):
        port = kafkatest.free_port()
        super().__init__(who, port, f'/produce/{TOPIC}', 1)
        self.process = subprocess.Popen(
            [*command, str(port), kafka.bootstrap])
        self.port = port
        kafkatest.wait_for(self.accepts, what=f'{who} starts')

    accepts = kafkatest.Nginx.accepts

    def log(self):
        return ''

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Raw:
    """librdkafka alone; a flood where a request has many messages."""

    who = 'librdkafka'
    workers = 1

    def __init__(self, kafka, properties):
        self.properties = [f'{name}={value}' for name, value in {
            **properties, 'bootstrap.servers': kafka.bootstrap,
            'log_level': '3'}.items()]

    def sample(self, load, warm, seconds):
        in_flight = load.connections if load.count == 1 else 0
        out = subprocess.run(
            [os.path.join(BENCH, 'produce'), TOPIC, str(load.size),
             str(in_flight), str(warm), str(seconds), *self.properties],
            stdout=subprocess.PIPE, check=True)

        return {'errors': 0, **json.loads(out.stdout)}


class Nginx(kafkatest.Nginx):
    """nginx with the module, made for speed.

    Its locations are /produce, /floor, and what `server` adds.
    """

    def __init__(self, kafka, workers=1, module=MODULE, properties=None,
                 http='', server='', preload=None):
        self.module = module
        self.preload = preload
        super().__init__(
            producer('main', kafka.bootstrap, properties or {}) + http,
            server, workers=workers)

    def write(self, http_block, server):
        temp = ''.join(f'    {name}_temp_path {self.dir}/{name};\n' for name in
                       ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))

        # as long as an answer of /produce

        floor = json.dumps([{'topic': TOPIC, 'partition': 0,
                             'offset': 12345678, 'timestamp': 1795458436807}],
                           separators=(',', ':'))

        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write(f'''
load_module {self.module};
{'user root;' if os.geteuid() == 0 else ''}
daemon off;
worker_processes {self.workers};
worker_rlimit_nofile 8192;
pid {self.dir}/nginx.pid;
error_log {self.log_path} warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_max_body_size 64m;
    default_type application/json;
{temp}
    {http_block}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location /produce {{ kafka_produce main; }}
        location /floor {{ return 200 '{floor}'; }}
        {server}
    }}
}}
''')

    def launch(self):
        env = dict(os.environ, **self.preload) if self.preload else None
        self.process = subprocess.Popen(self.command(), env=env)


class Lua(kafkatest.Nginx):
    """nginx with lua-resty-kafka."""

    def __init__(self, kafka, workers=1):
        self.broker = kafka.bootstrap.rpartition(':')[2]
        super().__init__('', '', workers=workers)

    def write(self, http_block, server):
        modules = subprocess.run(
            [kafkatest.NGINX, '-V'], stderr=subprocess.PIPE, text=True,
            check=True).stderr
        modules = re.search(r'--modules-path=(\S+)', modules)[1]

        with open(os.path.join(HERE, 'lua.conf'), encoding='utf-8') as f:
            conf = string.Template(f.read()).substitute(
                modules=modules, workers=self.workers, dir=self.dir,
                port=self.port, broker=self.broker)

        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write(conf)


def producer(name, bootstrap, properties):
    lines = ''.join(f'        {key} "{value}";\n'
                    for key, value in properties.items())

    return (f'kafka_producer {name} {{\n'
            f'        bootstrap.servers {bootstrap};\n{lines}    }}\n')
