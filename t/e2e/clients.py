#!/usr/bin/python3
"""What docs/clients and docs/moving-from-*.md show is so, with a real Kafka."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from confluent_kafka.admin import AdminClient, ConfigResource


CLIENTS = os.path.join(kafkatest.ROOT, 'docs/clients')
EXPIRE = ('expire', b'1637745834756')

# what each example leaves in Kafka: topic, key, value, headers, partition,
# timestamp

SENT = [
    ('greetings', None, 'hello_kafka', [], None, None),
    ('cities', 'city', 'a/b & ü', [], None, None),
    ('cities', 'city', 'Istanbul', [EXPIRE], None, None),
    ('cities', None, 'London', [], 1, 1637745834744),
    ('cities', None, 'Tokyo', [], 2, 1637745823147),
    ('greetings', None, {'hello': 'world'}, [], None, None),
    ('cities', 'city', 'Paris', [], None, None),
]

SERVER = '''
        auth_basic           Kafka;
        auth_basic_user_file users;

        location /produce {
            kafka_produce main;
        }
'''

GO = {'GOTOOLCHAIN': 'local', 'GOPROXY': 'off'}

PASSWORD = 'my "pass\\word'


class Clients(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.Kafka(3)
        cls.addClassCleanup(cls.kafka.stop)

        cls.kafka.topic('greetings', 1, 3)
        cls.kafka.topic('cities', 4, 3, retention_ms='-1')
        cls.kafka.topic('small', 1, 3, max_message_bytes='500')
        cls.kafka.topic('slow', 1, 3)

        # what asks for three replicas in sync gets two
        cls.kafka.util('stop', '3')

        # the first time, Go compiles its library for minutes
        folder = tempfile.mkdtemp(prefix='clients-')
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.go = os.path.join(folder, 'produce')
        subprocess.run(
            ['go', 'build', '-o', cls.go, os.path.join(CLIENTS, 'produce.go')],
            env={**os.environ, **GO}, check=True)

    def setUp(self):
        self.server = kafkatest.Nginx(
            kafkatest.producer(self.kafka.bootstrap,
                               'message.timeout.ms 1000'), SERVER)
        with open(os.path.join(self.server.dir, 'users'), 'w',
                  encoding='ascii') as f:
            f.write(f'me:{{PLAIN}}{PASSWORD}\nmyuser:{{PLAIN}}mypass\n')
        self.start(self.server)

    def command(self, name):
        """How to run an example."""

        path = os.path.join(CLIENTS, name)

        if name.endswith('.go'):
            return [self.go]
        if name.endswith('.py'):
            return ['/usr/bin/python3', path]
        if name.endswith('.sh'):
            return ['bash', path]
        if name != 'upstash.mjs':
            return ['node', path]

        # a package is looked for beside the file

        package = subprocess.run([os.path.join(HERE, 'fetch-client.sh')],
                                 stdout=subprocess.PIPE, text=True,
                                 check=True).stdout.strip()
        modules = os.path.dirname(os.path.dirname(package))
        os.symlink(modules, os.path.join(self.server.dir, 'node_modules'))

        return ['node', shutil.copy(path, self.server.dir)]

    def run_example(self, name, *args, status=0, **env):
        done = subprocess.run(
            [*self.command(name), *args], timeout=60, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ,
                 'KAFKA_URL': f'http://127.0.0.1:{self.server.port}',
                 'KAFKA_USER': 'me', 'KAFKA_PASSWORD': PASSWORD, **env})

        self.assertEqual(done.returncode, status, done)
        return done

    def read(self, topic):
        return {(r.partition, r.offset): r for r in
                kafkatest.read_topic(self.kafka.bootstrap, topic)}

    def new(self, topic, before):
        """The records that came to a topic since."""

        return {place: record for place, record in self.read(topic).items()
                if place not in before[topic]}

    def check_tour(self, name):
        topics = 'greetings', 'cities'
        before = {topic: self.read(topic) for topic in topics}
        done = self.run_example(name)
        records = {topic: self.new(topic, before) for topic in topics}
        answers = []

        for line in done.stdout.splitlines():
            answer = json.loads(line)
            answers += answer if isinstance(answer, list) else [answer]

        self.assertEqual([a['topic'] for a in answers], [s[0] for s in SENT])

        for answer, sent in zip(answers, SENT):
            topic, key, value, headers, partition, timestamp = sent
            record = records[topic].pop((answer['partition'],
                                         answer['offset']))
            text = record.value.decode()

            self.assertEqual(record.key, key and key.encode())
            self.assertEqual(json.loads(text) if isinstance(value, dict)
                             else text, value)
            self.assertEqual(record.headers, headers)
            self.assertEqual(answer['timestamp'], record.timestamp)
            if partition is not None:
                self.assertEqual(record.partition, partition)
            if timestamp is not None:
                self.assertEqual(record.timestamp, timestamp)

        self.assertEqual(records, {topic: {} for topic in topics})

        return done

    def min_insync(self, topic, count):
        config = ConfigResource(ConfigResource.Type.TOPIC, topic)
        config.set_config('min.insync.replicas', str(count))
        admin = AdminClient({'bootstrap.servers': self.kafka.bootstrap})
        for future in admin.alter_configs([config]).values():
            future.result(10)

    def check_failures(self, name):
        """Only what failed, and may yet succeed, is sent again."""

        topics = 'greetings', 'slow', 'small'
        before = {topic: self.read(topic) for topic in topics}

        # two nodes are too few, until the first answer has been given

        self.min_insync('slow', 3)
        mender = threading.Thread(target=self.mend)
        mender.start()

        done = self.run_example(name, json.dumps(
            [{'topic': 'greetings', 'value': name},
             {'topic': 'slow', 'key': 'k', 'value': name},
             {'topic': 'small', 'value': name * 100}]), status=1)
        mender.join()

        first, second, third = json.loads(done.stdout)
        found = {topic: self.new(topic, before) for topic in topics}

        for topic, answer in ('greetings', first), ('slow', second):
            (place, record), = found[topic].items()
            self.assertEqual(place, (answer['partition'], answer['offset']))
            self.assertEqual(record.value, name.encode())

        self.assertEqual(found['small'], {})
        self.assertEqual(third['code'], 'MSG_SIZE_TOO_LARGE')
        self.assertEqual(third['persisted'], 'no')

        statuses = [line.split('" ')[1].split()[0]
                    for line in self.server.access_log().splitlines()]
        self.assertIn(statuses[-2:], (['503', '200'], ['504', '200']))

    def mend(self):
        asked = self.server.access_log().count('\n')
        kafkatest.wait_for(
            lambda: self.server.access_log().count('\n') > asked, 30,
            'a first answer')
        self.min_insync('slow', 2)

    def check_refusal(self, name):
        """Nothing is sent again that was refused for good."""

        done = self.run_example(
            name, '[{"topic":"nope","value":"v"}]', status=1)
        self.assertIn('topic "nope" does not exist', done.stderr)

        done = self.run_example(
            name, '[{"topic":"cities","value":"v"}]', status=1,
            KAFKA_PASSWORD='wrong')
        self.assertIn('credentials', done.stderr)
        self.assertEqual(self.server.access_log().count('\n'), 2)

    def test_upstash(self):
        done = self.check_tour('upstash.mjs')
        self.assertIn('topic "no-such-topic" does not exist', done.stderr)

    def check_page(self, text, port):
        """Its commands answer what it shows, but for places and times."""

        blocks = re.findall(r'^```console\n\$ (.*?\n)(\S+)\n```$', text,
                            re.M | re.S)
        self.assertEqual(len(blocks), text.count('```console'))
        self.assertTrue(blocks)

        for command, shown in blocks:
            done = subprocess.run(
                ['bash', '-c', command.replace(':8080', f':{port}')],
                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.assertEqual(masked(json.loads(done.stdout)),
                             masked(json.loads(shown)), command)

            for entry in json.loads(done.stdout):
                records = self.read(entry['topic'])
                self.assertIn((entry['partition'], entry['offset']), records)

    def test_pages(self):
        pages = glob.glob(f'{kafkatest.ROOT}/docs/moving-from-*.md')
        self.assertEqual(len(pages), 3)

        for page in pages:
            with self.subTest(page=page), open(page, encoding='utf-8') as f:
                self.check_page_of(f.read())

    def check_page_of(self, text):
        config = re.search(r'^```nginx\n(.*?)\nserver {\n *listen .*?;\n'
                           r'(.*?)^}\n```$', text, re.M | re.S)
        server = self.server

        if config:
            http, inner = config.groups()
            http = http.replace('127.0.0.1:9092', self.kafka.bootstrap)
            server = self.nginx(http, inner)

        self.check_page(text, server.port)


def masked(entries):
    """The timestamp stays where the message had one: it is not of now."""

    return [{name: value if name == 'topic' or name == 'timestamp'
             and value < 1.7e12 else type(value) for name, value in e.items()}
            for e in entries]


def add_tests():
    for name in 'produce.sh', 'produce.py', 'produce.mjs', 'produce.go':
        kind = name.rpartition('.')[2]

        for check in 'tour', 'failures', 'refusal':
            def test(self, check=check, name=name):
                getattr(self, f'check_{check}')(name)

            setattr(Clients, f'test_{kind}_{check}', test)


add_tests()


if __name__ == '__main__':
    kafkatest.unittest.main()
