"""Code that the end-to-end tests share: nginx, Kafka, the mock, clients.

Requires only Debian's /usr/bin/python3 and python3-confluent-kafka.
"""

import collections
import ctypes
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import confluent_kafka
import confluent_kafka.admin


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

NGINX = os.environ.get('TEST_NGINX_BINARY', '/usr/sbin/nginx')
MODULES = os.environ.get('TEST_NGINX_LOAD_MODULES',
                         os.path.join(ROOT, 'build/ngx_http_kafka_module.so'))
MOCK = os.environ.get('KAFKA_MOCK', os.path.join(ROOT, 'build/kafka-mock'))
RELAY = os.environ.get('KAFKA_RELAY', os.path.join(ROOT, 'build/kafka-relay'))
KAFKA = os.environ.get('KAFKA_UTIL', os.path.join(ROOT, 'util/kafka'))
SANITIZER = os.environ.get('TEST_SANITIZER')

# confluent_kafka 1.7 releases references to None that it does not own, until
# Python 3.11 crashes at exit

for _ in range(100000):
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))

MARK = b'mark'

PR_SET_CHILD_SUBREAPER = 36     # from linux/prctl.h

BAD_LINE = re.compile(r'\[(alert|crit|emerg)\]|exited on signal|'
                      r'AddressSanitizer|LeakSanitizer|runtime error:')

# log lines about a killed process, and about a lock that it held

OF_KILLED = re.compile(r'process (\d+) exited on signal 9|'
                       r'shared memory zone "[^"]*" was locked by (\d+)$')

SERVER = '''
        location /produce { kafka_produce main; }
        location = /status { kafka_status; }'''

Record = collections.namedtuple(
    'Record', 'partition offset key value headers timestamp timestamp_type')


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'{self.status} {self.body!r}'


def free_port(count=1):
    """Returns the first of `count` consecutive ports that are free now."""

    # use ports below those that Linux assigns to clients: a client could get
    # the port of a broker that is down for a while

    while True:
        port = random.randrange(10000, 32768 - count)

        if all(is_free(port + i) for i in range(count)):
            return port


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(('127.0.0.1', port))
            return True
        except OSError:
            return False


def wait_for(condition, timeout=10, what='condition'):
    end = time.monotonic() + timeout

    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {timeout} s')
        time.sleep(0.02)

    return result


class Nginx:
    """An nginx with one server on a free port, configured by `server`."""

    daemon = 'off'
    patience = 10               # seconds for workers to start or end

    def __init__(self, http_block, server, main='', workers=1, master=True,
                 listen='', user='root', connections=1024):
        self.dir = tempfile.mkdtemp(prefix='nginx-')
        self.port = free_port()
        self.log_path = os.path.join(self.dir, 'error.log')
        self.conf = os.path.join(self.dir, 'nginx.conf')
        self.process = None
        self.killed = set()
        self.main = main
        self.workers = workers
        self.master = master
        self.listen = listen
        self.user = user
        self.connections = connections
        self.write(http_block, server)

    def write(self, http_block, server):
        load = '\n'.join(f'load_module {os.path.abspath(m)};'
                         for m in MODULES.split())
        user = f'user {self.user};' if os.geteuid() == 0 else ''
        temp = '\n'.join(f'{name}_temp_path {self.dir}/{name};' for name in
                         ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))

        # replace the file at once: nginx may be reading it

        with open(f'{self.conf}.new', 'w', encoding='utf-8') as f:
            f.write(f'''
{load}
{user}
daemon {self.daemon};
master_process {'on' if self.master else 'off'};
worker_processes {self.workers};
pid {self.dir}/nginx.pid;
error_log {self.log_path} info;
{self.main}
events {{ worker_connections {self.connections}; }}
http {{
    access_log {self.dir}/access.log;
    {temp}
    {http_block}
    server {{
        listen 127.0.0.1:{self.port} {self.listen};
        {server}
    }}
}}
''')
        os.replace(f.name, self.conf)

    def command(self):
        return [NGINX, '-e', self.log_path, '-p', self.dir, '-c', self.conf]

    def check(self):
        """Runs nginx -t; returns its exit status and its output."""

        done = subprocess.run([*self.command(), '-t'], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def launch(self):
        self.process = subprocess.Popen(self.command())

    def start(self):
        self.launch()
        wait_for(self.accepts, what='nginx starts')
        wait_for(lambda: len(self.worker_pids()) == (
            self.workers if self.master else 1), what='workers start')
        return self

    def accepts(self):
        if self.process.poll() is not None:
            raise RuntimeError(f'nginx ended:\n{self.log()}')

        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def access_log(self):
        with open(os.path.join(self.dir, 'access.log'), encoding='utf-8') as f:
            return f.read()

    def kill(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=None):
        return self.process.wait(timeout or self.patience + 5)

    def stop(self, number=signal.SIGQUIT):
        """Ends nginx with a signal; returns its exit status."""

        if self.process.poll() is None:
            self.kill(number)

        try:
            return self.wait()
        finally:
            if self.process.poll() is None:
                for pid in self.worker_pids():
                    os.kill(pid, signal.SIGKILL)
                self.process.kill()
                self.process.wait()

    def worker_pids(self):
        """Returns the workers that serve requests and are not shutting down."""

        if not self.master:
            return [self.process.pid]

        pid = self.process.pid

        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
            children = [int(child) for child in f.read().split()]

        return [child for child in children
                if title(child) == 'nginx: worker process']

    def reload(self):
        """Reloads nginx, and waits until the new workers have taken over."""

        old = set(self.worker_pids())
        self.kill(signal.SIGHUP)
        wait_for(lambda: len(new := set(self.worker_pids()) - old)
                 == self.workers and not old & set(self.worker_pids()),
                 self.patience, 'nginx reloads')

    def kill_worker(self, pid):
        """Kills a worker; bad_lines() ignores its death."""

        self.killed.add(str(pid))
        os.kill(pid, signal.SIGKILL)

    def processes(self):
        """Returns old and new masters and workers: they have the log open."""

        return [pid for pid in map(int, filter(str.isdigit, os.listdir('/proc')))
                if pid != os.getpid() and self.log_path in open_files(pid)]

    def kill_the_rest(self):
        """Kills all processes after a test that has failed."""

        try:
            self.stop()
        finally:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)

    def bad_lines(self):
        return [line for line in self.log().splitlines()
                if BAD_LINE.search(line) and not self.of_killed(line)]

    def of_killed(self, line):
        death = OF_KILLED.search(line)
        return death is not None and (death[1] or death[2]) in self.killed

    # clients

    def request(self, method, target, body=None, headers=None, timeout=20):
        """Sends a request; its target is not encoded or normalised."""

        conn = http.client.HTTPConnection('127.0.0.1', self.port,
                                          timeout=timeout)
        try:
            if isinstance(body, str):
                body = body.encode()
            conn.request(method, target, body, headers or {})
            answer = conn.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            conn.close()

    def get(self, target, **kwargs):
        return self.request('GET', target, **kwargs)

    def post(self, target, body, **kwargs):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        return self.request('POST', target, body, **kwargs)

    def connect(self, timeout=20, port=None):
        s = socket.create_connection(('127.0.0.1', port or self.port), timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def status(self, producer='main'):
        """Returns the entry of a producer in the status page, /status."""

        return self.get('/status').json['producers'][producer]

    def wait_for_requests(self, count, producer='main'):
        """Waits until `count` requests wait for Kafka."""

        wait_for(lambda: self.status(producer)['requests_waiting'] == count,
                 what=f'{count} requests wait')

    def has_read(self, s):
        """Returns whether nginx has read all data that this client has sent."""

        return unread(s.getpeername(), s.getsockname()) == 0

    def raw(self, pieces, pause=0, timeout=20):
        """Sends a request in pieces, one by one; returns the response."""

        with self.connect(timeout) as s:
            for piece in pieces:
                s.sendall(piece)
                if pause:
                    time.sleep(pause)
            return read_response(s)

    def curl(self, *args):
        """Runs curl, with {} replaced by this server's address.

        Returns its output.
        """

        address = f'http://127.0.0.1:{self.port}'
        done = subprocess.run(
            ['curl', '-sS', '--max-time', '20',
             *(a.replace('{}', address) for a in args)],
            stdout=subprocess.PIPE, check=True)
        return done.stdout


class Adopted:
    """Like Popen, for a process whose parent has ended."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout):
        wait_for(lambda: self.poll() is not None, timeout, f'{self.pid} ends')
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Daemon(Nginx):
    """An nginx in the background: it ignores USR2 while its parent lives."""

    daemon = 'on'

    def launch(self):
        # a process whose parent ends becomes a child of this process

        if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError('prctl() failed')

        subprocess.run(self.command(), check=True)
        self.process = Adopted(wait_for(self.pid, what='nginx has a pid'))

    def pid(self):
        try:
            with open(f'{self.dir}/nginx.pid', encoding='ascii') as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0

    def upgrade(self):
        """Upgrades nginx by USR2, WINCH and QUIT.

        Returns the exit status of the old master.
        """

        old = self.process
        old_workers = self.worker_pids()

        self.kill(signal.SIGUSR2)
        self.process = Adopted(wait_for(
            lambda: (pid := self.pid()) != old.pid and pid,
            self.patience, 'nginx is upgraded'))
        wait_for(lambda: len(self.worker_pids()) == self.workers,
                 self.patience, 'new workers start')

        old.send_signal(signal.SIGWINCH)
        wait_for(lambda: 'nginx: worker process' not in map(title, old_workers),
                 self.patience, 'old workers quit')
        old.send_signal(signal.SIGQUIT)

        return old.wait(30)


class Load:
    """Clients that send numbers to a topic, one after another, until stop().

    With `keyed`, each message has its number as its key.
    """

    def __init__(self, server, topic, clients=8, keyed=False):
        self.server = server
        self.topic = topic
        self.path = f'/produce/{topic}/{{0}}' + ('?key={0}' if keyed else '')
        self.going = True
        self.sent = 0
        self.answers = collections.Counter()
        self.acknowledged = set()
        self.codes = collections.Counter()      # of failed messages
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while self.going:
            with self.lock:
                number = self.sent
                self.sent += 1
            code = None
            try:
                answer = self.server.get(self.path.format(number))
                status = answer.status
                if status != 200 and 'results' in answer.json:
                    code = answer.json['results'][0]['code']
            except (OSError, http.client.HTTPException) as e:
                status = repr(e)
            with self.lock:
                self.answers[status] += 1
                if code:
                    self.codes[code] += 1
                if status == 200:
                    self.acknowledged.add(number)

    def wait_for_more(self, count):
        """Waits until `count` more messages are acknowledged."""

        goal = len(self.acknowledged) + count
        try:
            wait_for(lambda: len(self.acknowledged) >= goal, 20,
                     f'{count} more are acknowledged')
        except TimeoutError:
            self.stop()         # otherwise the threads never end
            raise

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join()


def read_response(s):
    answer = http.client.HTTPResponse(s)
    answer.begin()
    return Response(answer.status, answer.headers, answer.read())


def unread(local, remote):
    """Returns how many received bytes of a connection are still in the kernel.

    `local` is the address of the receiving end.  Returns None if there is no
    such connection.
    """

    ends = [f'{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}'
            f':{port:04X}' for address, port in (local, remote)]

    with open('/proc/net/tcp', encoding='ascii') as f:
        for line in f:
            fields = line.split()
            if fields[1:3] == ends:
                return int(fields[4].partition(':')[2], 16)

    return None


def title(pid):
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            return f.read().rstrip(b'\0').decode()
    except OSError:
        return ''


def open_files(pid):
    files = set()

    try:
        for fd in os.listdir(f'/proc/{pid}/fd'):
            files.add(os.readlink(f'/proc/{pid}/fd/{fd}'))
    except OSError:
        pass                    # the process has ended, or is another user's

    return files


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        fields = f.read().rpartition(')')[2].split()

    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def rss_bytes(pid):
    with open(f'/proc/{pid}/statm', encoding='ascii') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def peak_bytes(pid):
    """Returns the maximum of rss_bytes() since the process started."""

    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return int(re.search(r'^VmHWM:\s+(\d+) kB$', f.read(), re.M)[1]) << 10


class Mock:
    """The mock cluster, t/mock/mock.c, and its commands."""

    def __init__(self, brokers=1):
        self.process = subprocess.Popen(
            [MOCK, str(brokers)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        self.bootstrap = self.process.stdout.readline().split()[1]

    def command(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()

        if answer != 'ok\n':
            raise RuntimeError(f'mock: {line}: {answer}')

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def receive(s, size):
    data = b''
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            raise EOFError('the connection ended')
        data += more
    return data


class Kafka:
    """A real Kafka, which util/kafka starts."""

    def __init__(self, nodes=1, **env):
        self.dir = tempfile.mkdtemp(prefix='kafka-')
        self.env = dict(os.environ, KAFKA_DIR=self.dir,
                        KAFKA_PORT=str(free_port(10 * nodes)), **env)

        try:
            self.util('start', str(nodes))
            self.bootstrap = self.addresses()
        except BaseException:
            self.stop()
            raise

    def util(self, *args):
        # use a file: the brokers inherit a pipe, which then is never closed
        with tempfile.TemporaryFile('w+') as out:
            subprocess.run([KAFKA, *args], env=self.env, check=True,
                           stdin=subprocess.DEVNULL, stdout=out)
            out.seek(0)
            return out.read().strip()

    def addresses(self, listener='plaintext'):
        return self.util('bootstrap', listener)

    def topic(self, name, partitions=1, replicas=-1, **config):
        """Creates a topic.  In the names of config, write _ for a full stop."""

        # util/kafka would take a second
        admin = confluent_kafka.admin.AdminClient(
            {'bootstrap.servers': self.bootstrap, 'log_level': 4})
        new = confluent_kafka.admin.NewTopic(
            name, partitions, replicas,
            config={k.replace('_', '.'): v for k, v in config.items()})
        admin.create_topics([new])[name].result(10)

        # the other nodes know the topic a little later

        for address in self.bootstrap.split(','):
            node = confluent_kafka.admin.AdminClient(
                {'bootstrap.servers': address, 'log_level': 2})
            wait_for(lambda: node.list_topics(name, 10).topics[name].error
                     is None, what=f'{address} knows {name}')

        return name

    def elect(self, node, topic, partition):
        """Sends a node a request that makes the first replica the leader again.

        Kafka's own tool takes seconds to start, and Debian's client library
        has no function for this request.
        """

        name = topic.encode()
        body = struct.pack('>hhih', 43, 1, 1, -1)       # ElectLeaders, v1
        body += struct.pack(f'>bih{len(name)}siii', 0, 1, len(name), name, 1,
                            partition, 5000)
        address = self.bootstrap.split(',')[node - 1].split(':')

        with socket.create_connection(address, 10) as s:
            s.sendall(struct.pack('>i', len(body)) + body)
            size, = struct.unpack('>i', receive(s, 4))
            answer = receive(s, size)

        # correlation id, throttle time, error, 1, topic, 1, partition

        error, = struct.unpack('>h', answer[8:10])
        if error == 0:
            error, = struct.unpack_from('>h', answer, 24 + len(name))
        if error != 0:
            raise RuntimeError(f'no election: error {error}')

    def stop(self):
        # the data is no longer needed, and an orderly end takes seconds
        self.util('kill')
        shutil.rmtree(self.dir)


class Relay:
    """util/bench/relay.c: forwards a port, with a delay in both directions."""

    def __init__(self, port, to, microseconds):
        self.process = subprocess.Popen(
            [RELAY, str(port), str(to), str(microseconds)])
        wait_for(lambda: not is_free(port), what=f'a relay at {port}')

    def stop(self):
        self.process.kill()
        self.process.wait()


class ConfiguredKafka(Kafka):
    """A Kafka whose nodes get the additional properties from `prepare`."""

    def __init__(self, prepare, nodes=1):
        self.prepare = prepare
        super().__init__(nodes)

    def util(self, *args):
        if args[0] == 'start':
            with open(os.path.join(self.dir, 'added.properties'), 'w',
                      encoding='ascii') as f:
                self.env['KAFKA_PROPS'] = f.name
                f.write(self.prepare(self))
        return super().util(*args)


def read_topic(bootstrap, topic):
    """Returns all records of a topic, ordered by partition and offset."""

    return list(each_record(bootstrap, topic))


def each_record(bootstrap, topic):
    consumer = confluent_kafka.Consumer({
        'bootstrap.servers': bootstrap, 'group.id': 'reader',
        'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
        'fetch.wait.max.ms': 50})

    try:
        meta = consumer.list_topics(topic, 10).topics[topic]
        if meta.error is not None:
            raise RuntimeError(f'{topic}: {meta.error}')

        for partition in sorted(meta.partitions):
            start = confluent_kafka.TopicPartition(topic, partition, 0)
            end = wait_for(lambda: watermarks(consumer, start),
                           what=f'{topic} has a leader')[1]
            consumer.assign([start])
            position = 0

            while position < end:
                message = consumer.poll(10)
                if message is None or message.error():
                    error = message and message.error()
                    raise RuntimeError(
                        f'{topic}[{partition}]: {error} at {position}')
                position = message.offset() + 1
                kind, stamp = message.timestamp()
                yield Record(
                    partition, message.offset(), message.key(),
                    message.value(), message.headers() or [], stamp, kind)

    finally:
        consumer.close()


def each_marked_record(bootstrap, topics):
    """Yields (topic, record) of all records acknowledged before this call.

    Writes a mark into each partition first.  Since the mark is acknowledged
    later than the records, a replica that is behind cannot hide a record.
    """

    marker = confluent_kafka.Producer(
        {'bootstrap.servers': bootstrap, 'acks': 'all',
         'message.timeout.ms': 60000})
    marked = []

    for topic in topics:
        for partition in marker.list_topics(topic, 10).topics[topic].partitions:
            marker.produce(topic, MARK, MARK, partition,
                           on_delivery=lambda err, _: marked.append(err))

    if marker.flush(70) or not marked or any(marked):
        raise RuntimeError(f'marks in {topics}: {marked}')

    for topic in topics:
        for record in each_record(bootstrap, topic):
            if record.value != MARK:
                yield topic, record


def watermarks(consumer, partition):
    """Returns the first and last offset of a partition.

    Returns None while the partition has no leader.
    """

    try:
        return consumer.get_watermark_offsets(partition, 10)
    except confluent_kafka.KafkaException as e:
        if e.args[0].name() in ('NOT_LEADER_FOR_PARTITION',
                                'LEADER_NOT_AVAILABLE'):
            return None
        raise


class TestCase(unittest.TestCase):
    """Ends the processes of a test, and checks nginx's log afterwards."""

    maxDiff = None
    longMessage = True

    def nginx(self, http_block, server=SERVER, **kwargs):
        return self.start(Nginx(http_block, server, **kwargs))

    def start(self, nginx):
        self.addCleanup(shutil.rmtree, nginx.dir)
        nginx.start()
        self.addCleanup(self.end_nginx, nginx)
        return nginx

    def end_nginx(self, nginx):
        self.assertEqual(nginx.stop(), 0, nginx.log())
        self.assertEqual(nginx.bad_lines(), [])

    def mock(self, brokers=1):
        mock = Mock(brokers)
        self.addCleanup(mock.stop)
        return mock

    def preload(self, name, *options):
        """Compiles a file of t/lib, to be preloaded into nginx.

        Returns a patch of the environment, which keeps other libraries in
        LD_PRELOAD.
        """

        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        library = os.path.join(folder, 'preload.so')
        subprocess.run(
            ['gcc', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-o',
             library, *options, os.path.join(ROOT, 't/lib', name)], check=True)
        also = os.environ.get('LD_PRELOAD', '')
        return unittest.mock.patch.dict(os.environ,
                                        LD_PRELOAD=f'{library} {also}'.strip())

    def assertGrowth(self, pid, before, limit):
        """Checks the growth of a process, in bytes, except with a sanitizer.

        A sanitizer keeps freed memory.
        """

        if SANITIZER is None:
            self.assertLess(rss_bytes(pid) - before, limit)


def producer(bootstrap, *properties):
    """Returns the kafka_producer block of a producer named main."""

    lines = ''.join(f'        {line};\n' for line in properties)

    return (f'kafka_producer main {{\n'
            f'        bootstrap.servers {bootstrap};\n{lines}    }}')
