#!/usr/bin/python3
"""Against a real Kafka, with real clients: curl and @upstash/kafka."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
import unittest

import confluent_kafka
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest


# The API's documentation, its host aside; and what each example must answer
# and leave in Kafka: (topic, partition or None, key, value, timestamp or None,
# headers).

EXAMPLES = [
    ('''curl {}/produce/greetings/hello_kafka -u myuser:mypass''',
     dict,
     [('greetings', None, None, 'hello_kafka', None, [])]),

    ('''curl {}/produce/cities/Istanbul?key=city -u myuser:mypass''',
     dict,
     [('cities', None, 'city', 'Istanbul', None, [])]),

    ('''curl {}/produce/greetings -u myuser:mypass \\
    -d '{"value": "hello_kafka"}'
''',
     list,
     [('greetings', None, None, 'hello_kafka', None, [])]),

    ('''curl {}/produce/cities -u myuser:mypass \\
    -d '{"partition": 1, "key": "city", "value": "Istanbul", '''
     '''"headers": [{"key": "expire", "value": "1637745834756"}] }'
''',
     list,
     [('cities', 1, 'city', 'Istanbul', None, [('expire', b'1637745834756')])]),

    ('''curl {}/produce/greetings -u myuser:mypass \\
    -d '[
        {"value": "hello_world"},
        {"value": "hello_upstash"},
        {"value": "hello_kafka"}
    ]'
''',
     list,
     [('greetings', None, None, 'hello_world', None, []),
      ('greetings', None, None, 'hello_upstash', None, []),
      ('greetings', None, None, 'hello_kafka', None, [])]),

    ('''curl {}/produce/cities -u myuser:mypass \\
    -d '[
        {"partition": 1, "timestamp": 1637745834744, "key": "city", "value": "Istanbul"},
        {"partition": 2, "timestamp": 1637745823147, "key": "city", "value": "London"},
        {"partition": 3, "timestamp": 1637455583829, "key": "city", "value": "Tokyo"},
    ]'
''',
     list,
     [('cities', 1, 'city', 'Istanbul', 1637745834744, []),
      ('cities', 2, 'city', 'London', 1637745823147, []),
      ('cities', 3, 'city', 'Tokyo', 1637455583829, [])]),

    ('''curl {}/produce -u myuser:mypass \\
    -d '{"topic": "greetings", "value": "hello_kafka"}'
''',
     list,
     [('greetings', None, None, 'hello_kafka', None, [])]),

    ('''curl {}/produce -u myuser:mypass \\
    -d '[
        {"topic": "greetings", "value": "hello_world"},
        {"topic": "greetings", "value": "hello_upstash"},
        {"topic": "greetings", "value": "hello_kafka"}
    ]'
''',
     list,
     [('greetings', None, None, 'hello_world', None, []),
      ('greetings', None, None, 'hello_upstash', None, []),
      ('greetings', None, None, 'hello_kafka', None, [])]),

    ('''curl {}/produce -u myuser:mypass \\
    -d '[
        {"topic": "greetings", "value": "hello_world"},
        {"topic": "greetings", "value": "hello_upstash"},
        {"topic": "cities", "partition": 1, "value": "Istanbul"},
        {"topic": "cities", "partition": 2, "value": "London"},
        {"topic": "cities", "partition": 3, "value": "Tokyo"},
    ]'
''',
     list,
     [('greetings', None, None, 'hello_world', None, []),
      ('greetings', None, None, 'hello_upstash', None, []),
      ('cities', 1, None, 'Istanbul', None, []),
      ('cities', 2, None, 'London', None, []),
      ('cities', 3, None, 'Tokyo', None, [])]),
]

# murmur2 of Kafka's own Java tests
MURMUR2 = {
    '21': -973932308,
    'foobar': -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8': -58897971,
    'abc': 479470107,
}

SERVER = '''
        location /produce {
            kafka_produce        main;
            auth_basic           Kafka;
            auth_basic_user_file users;
        }
        location /v1/kafka/produce {
            kafka_produce        main;
            auth_basic           Kafka;
            auth_basic_user_file users;
        }
        location /open/produce {
            kafka_produce        main;
        }
        client_max_body_size 8m;
'''

# What the client answers to a row of calls.  Its pauses between the five times
# that it tries again would take 16 s.
SCRIPT = '''
const wait = globalThis.setTimeout;
globalThis.setTimeout = (f, ms, ...rest) =>
    wait(f, [500, 1000, 2000, 4000, 8000].includes(ms) ? 1 : ms, ...rest);

const { Kafka } = require(process.argv[2]);

async function main(url) {
    const ask = async (call, password = "mypass") => {
        const kafka = new Kafka({ url, username: "myuser", password });
        try {
            return { ok: await call(kafka.producer()) };
        } catch (e) {
            return { error: e.message, name: e.name, status: e.status };
        }
    };

    console.log(JSON.stringify([
        await ask(p => p.produce("npm", "text")),
        await ask(p => p.produce("npm", { an: ["object", 1] }, {
            partition: 0, timestamp: 1637745834744, key: "k",
            headers: [{ key: "h", value: "\\u{1F600}" }] })),
        await ask(p => p.produceMany([
            { topic: "npm", value: "one" },
            { topic: "npm", value: { two: 2 }, key: "" }])),
        await ask(p => p.produce("npm", "no"), "wrong"),
        await ask(p => p.produce("npm-unknown", "no")),
        await ask(p => p.produce("npm", "no", { partition: -1 })),
    ]));
}

main(process.argv[3]);
'''


def no_http3():
    """Which of nginx and curl was built without HTTP/3, if any."""

    for command, text in (([kafkatest.NGINX, '-V'], '--with-http_v3_module'),
                          (['curl', '-V'], 'HTTP3')):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if text not in done.stdout:
            return os.path.basename(command[0])

    return None


NO_HTTP3 = no_http3()


class Kafka(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)

    def setUp(self):
        self.server = self.serve()

    def serve(self, *properties, **kwargs):
        server = kafkatest.Nginx(
            kafkatest.producer(self.kafka.bootstrap, *properties), SERVER,
            **kwargs)
        with open(os.path.join(server.dir, 'users'), 'w',
                  encoding='ascii') as f:
            f.write('myuser:{PLAIN}mypass\n')
        self.start(server)
        return server

    def read(self, topic):
        return kafkatest.read_topic(self.kafka.bootstrap, topic)

    def post(self, topic, body, server=None):
        return (server or self.server).post(f'/open/produce/{topic}', body)

    def check_metadata(self, metadata, topic):
        """What was answered is what a consumer sees; its records."""

        records = {(r.partition, r.offset): r for r in self.read(topic)}
        found = []

        for entry in metadata:
            self.assertEqual(set(entry),
                             {'topic', 'partition', 'offset', 'timestamp'})
            self.assertEqual(entry['topic'], topic)

            record = records[entry['partition'], entry['offset']]
            self.assertEqual(entry['timestamp'], record.timestamp)
            found.append(record)

        return found

    def test_examples(self):
        self.kafka.topic('greetings', 1)
        self.kafka.topic('cities', 4)

        answers = {'greetings': [], 'cities': []}
        expected = {'greetings': [], 'cities': []}

        for command, kind, records in EXAMPLES:
            command = command.replace(
                '{}', f'http://127.0.0.1:{self.server.port}')
            before = int(time.time() * 1000)
            done = subprocess.run(['bash', '-c', command], check=True,
                                  capture_output=True)
            after = int(time.time() * 1000)

            with self.subTest(command=command):
                answer = json.loads(done.stdout)
                self.assertIsInstance(answer, kind)

                if kind is dict:
                    answer = [answer]
                self.assertEqual([m['topic'] for m in answer],
                                 [r[0] for r in records])

            for metadata, record in zip(answer, records):
                answers[record[0]].append(metadata)
                expected[record[0]].append((*record, before, after))

        for topic, metadata in answers.items():
            records = self.check_metadata(metadata, topic)
            self.assertEqual(len(records), len(self.read(topic)))

            for record, entry in zip(records, expected[topic]):
                (_, partition, key, value, timestamp, headers,
                 before, after) = entry
                self.assertEqual(record.value, value.encode())
                self.assertEqual(record.key, key and key.encode())
                self.assertEqual(record.headers, headers)
                self.assertEqual(record.timestamp_type, TIMESTAMP_CREATE_TIME)

                if partition is not None:
                    self.assertEqual(record.partition, partition)
                if timestamp is not None:
                    self.assertEqual(record.timestamp, timestamp)
                else:
                    self.assertLessEqual(before, record.timestamp)
                    self.assertLessEqual(record.timestamp, after)

    def test_every_byte(self):
        self.kafka.topic('bytes')
        texts = ['', '\0', '\x7f"\\/\b\f\n\r\t', 'é€😀\u2028\ufeff\uffff',
                 '\U0010ffff', 'v' * 700000]
        texts.append(''.join(map(chr, range(1, 0x2000))))

        # this consumer would end the name of a header at a zero byte

        headers = [(t[:100].replace('\0', '0'), t[:100]) for t in texts]

        for ascii_only in True, False:
            body = json.dumps(
                [{'value': t, 'key': t[:100], 'headers': [
                    {'key': name, 'value': value},
                    {'key': 'none', 'value': None}]}
                 for t, (name, value) in zip(texts, headers)],
                ensure_ascii=ascii_only).encode()
            answer = self.post('bytes', body)
            self.assertEqual(answer.status, 200, answer)

            records = self.check_metadata(answer.json, 'bytes')
            self.assertEqual([r.value for r in records],
                             [t.encode() for t in texts])
            self.assertEqual([r.key for r in records],
                             [t[:100].encode() for t in texts])
            self.assertEqual([r.headers for r in records],
                             [[(name, value.encode()), ('none', None)]
                              for name, value in headers])

    def test_order(self):
        self.kafka.topic('order', 4)
        messages = [{'value': str(i), 'partition': i % 4, 'timestamp': 1 + i}
                    for i in range(2000)]

        answer = self.post('order', messages)
        self.assertEqual(answer.status, 200, answer)

        records = self.check_metadata(answer.json, 'order')
        self.assertEqual([(r.value, r.partition, r.offset, r.timestamp)
                          for r in records],
                         [(b'%d' % i, i % 4, i // 4, 1 + i)
                          for i in range(2000)])

    def test_client(self):
        path = subprocess.run([os.path.join(HERE, 'fetch-client.sh')],
                              stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()
        self.kafka.topic('npm')

        for base in '', '/v1/kafka', '/v1/kafka/':
            with self.subTest(base=base):
                before = len(self.read('npm'))
                done = subprocess.run(
                    ['node', '-', path,
                     f'http://127.0.0.1:{self.server.port}{base}'],
                    input=SCRIPT, text=True, capture_output=True, check=True)
                (text, thing, many, password, unknown,
                 bad) = json.loads(done.stdout)

                records = self.check_metadata(
                    [text['ok'], thing['ok'], *many['ok']], 'npm')
                self.assertEqual(
                    [(r.key, r.value, r.headers) for r in records],
                    [(None, b'text', []),
                     (b'k', b'{"an":["object",1]}', [('h', '😀'.encode())]),
                     (None, b'one', []),
                     (b'', b'{"two":2}', [])])
                self.assertEqual(records[1].timestamp, 1637745834744)

                for answer, status in ((password, 401), (unknown, 404),
                                       (bad, 400)):
                    self.assertEqual(answer['name'], 'UpstashError', answer)
                    self.assertEqual(answer['status'], status)
                    self.assertTrue(answer['error'])

                self.assertEqual(len(self.read('npm')), before + 4)

    def test_unknown_topic(self):
        for body in '{"value":"v"}', '[{"value":"a"},{"value":"b"}]':
            start = time.monotonic()
            answer = self.post('unknown', body)
            self.assertEqual(answer.status, 404, answer)
            self.assertLess(time.monotonic() - start, 2)

        admin = kafkatest.confluent_kafka.admin.AdminClient(
            {'bootstrap.servers': self.kafka.bootstrap})
        self.assertNotIn('unknown', admin.list_topics(timeout=10).topics)

        # what was unknown a moment ago is not so for ever

        self.kafka.topic('unknown')
        kafkatest.wait_for(lambda: self.post('unknown', '{"value":"v"}').status
                           == 200, 5, 'the new topic is known')
        self.assertEqual([r.value for r in self.read('unknown')], [b'v'])

    def test_one_unknown_topic_among_others(self):
        self.kafka.topic('known')
        answer = self.server.post('/open/produce', [
            {'topic': 'known', 'value': 'a'},
            {'topic': 'not-known', 'value': 'b'}])
        self.assertEqual(answer.status, 404, answer)
        self.assertEqual(self.read('known'), [])

    def test_missing_partition(self):
        self.kafka.topic('two', 2)
        answer = self.post('two', [{'value': 'a', 'partition': 1},
                                   {'value': 'b', 'partition': 2}])
        self.assertEqual(answer.status, 400, answer)
        self.assertRegex(answer.json['error'], r'message 1\b.*partition')
        self.assertEqual(self.read('two'), [])

    def test_log_append_time(self):
        self.kafka.topic('append', message_timestamp_type='LogAppendTime')
        answer = self.post('append', [{'value': 'a'},
                                      {'value': 'b', 'timestamp': 1}])
        self.assertEqual(answer.status, 200, answer)

        for record in self.check_metadata(answer.json, 'append'):
            self.assertEqual(record.timestamp_type, TIMESTAMP_LOG_APPEND_TIME)

    def crowd(self, topic, good, bad, status, code, persisted=30,
              certain=('no',)):
        """Bad messages beside good ones harm only themselves."""

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(
                lambda i: self.post(topic, bad if i % 4 == 0 else good),
                range(4 * persisted // 3)))

        for i, answer in enumerate(answers):
            if i % 4:
                self.assertEqual(answer.status, 200, answer)
                continue

            self.assertEqual(answer.status, status, answer)
            self.assertEqual(answer.json['status'], status)
            self.assertEqual([(r['code'], r['retriable'])
                              for r in answer.json['results']],
                             [(code, False)])
            self.assertIn(answer.json['results'][0]['persisted'], certain)

        self.assertEqual(len(self.read(topic)), persisted)

    def test_compacted_topic(self):
        self.kafka.topic('compacted', cleanup_policy='compact')
        self.crowd('compacted', {'value': 'v', 'key': 'k'}, {'value': 'v'},
                   400, 'INVALID_RECORD')

    def check_order_beside_bad_ones(self, topic, server):
        """Of 1,000 messages five are refused; the others are there once, in
        the order of their request.  Returns the results.
        """

        bad = 0, 333, 334, 600, 999
        before = self.read(topic)
        answer = self.post(topic, [
            {'value': str(i), **({} if i in bad else {'key': f'k{i}'})}
            for i in range(1000)], server)
        self.assertEqual(answer.status, 400, answer)
        results = answer.json['results']
        self.assertEqual(
            [(i, r['code'], r['persisted']) for i, r in enumerate(results)
             if 'code' in r], [(i, 'INVALID_RECORD', 'no') for i in bad])
        self.assertEqual(
            [r.value.decode() for r in self.read(topic)[len(before):]],
            [str(i) for i in range(1000) if i not in bad])

        return results

    def test_order_of_a_group_that_is_refused(self):
        """It is halved until the bad messages are alone."""

        self.kafka.topic('halved', cleanup_policy='compact')
        self.assertEqual(
            self.post('halved', {'value': 'warm', 'key': 'k'}).status, 200)

        results = self.check_order_beside_bad_ones('halved', self.server)
        self.assertEqual([r['offset'] for r in results if 'code' not in r],
                         [*range(1, 996)])

    def test_order_of_a_group_in_several_requests(self):
        """librdkafka splits a group into several requests.  When one of them
        is refused, no later one is stored before the records of that one.
        """

        self.kafka.topic('split', cleanup_policy='compact')
        self.check_order_beside_bad_ones(
            'split', self.serve('batch.num.messages 50'))

    def test_more_refusals_than_epochs(self):
        """librdkafka counts the epoch of a client up to 32,767."""

        self.kafka.topic('epochs', cleanup_policy='compact')
        bad = [{'value': 'bad'}] * 1000

        # the epoch of the second good message is some 3,000, and it is lower
        # 32,000 refusals later: a broker refuses a message with such an epoch

        stored = ['first', 'second', *(f'good {i}' for i in range(10))]
        for value, refused in zip(stored, [3, 32] + [0] * 10, strict=True):
            answer = self.post('epochs', {'value': value, 'key': value})
            self.assertEqual(answer.status, 200, answer)
            for _ in range(refused):
                self.assertEqual(self.post('epochs', bad).status, 400)
        self.assertEqual([r.value.decode() for r in self.read('epochs')],
                         stored)

    def test_old_timestamp(self):
        self.kafka.topic('recent', message_timestamp_before_max_ms='3600000')
        old = {'value': 'v', 'timestamp': 1}

        # a timestamp ages, so only one attempt proves "no"
        self.crowd('recent', {'value': 'v'}, old, 400, 'INVALID_TIMESTAMP',
                   certain=('no', 'maybe'))

        answer = self.post('recent', old)
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(answer.json['results'][0]['persisted'], 'no')

    def test_old_timestamp_beside_valid_ones_that_may_be_retries(self):
        self.kafka.topic('slow', message_timestamp_before_max_ms='3600000')
        self.server = self.serve('retry.backoff.ms 1',
                                 'enable.idempotence false')
        self.crowd('slow', {'value': 'v'}, {'value': 'v', 'timestamp': 1},
                   400, 'INVALID_TIMESTAMP', certain=('no', 'maybe'))

    def test_message_over_the_topic_limit(self):
        self.kafka.topic('small', max_message_bytes='1000')
        self.crowd('small', {'value': 'v' * 300}, {'value': 'v' * 2000},
                   413, 'MSG_SIZE_TOO_LARGE')

    def test_message_over_the_producer_limit(self):
        self.kafka.topic('huge')
        answer = self.post('huge', {'value': 'v' * 1100000})
        self.assertEqual(answer.status, 413, answer)
        self.assertEqual(answer.json['status'], 413)
        self.assertEqual(self.read('huge'), [])

    def test_partitions_are_those_of_java(self):
        self.kafka.topic('murmur2', 10)
        answer = self.post('murmur2', [{'value': 'v', 'key': key}
                                       for key in MURMUR2])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['partition'] for m in answer.json],
                         [(h & 0x7fffffff) % 10 for h in MURMUR2.values()])

    def test_http2(self):
        self.kafka.topic('http2')
        server = self.serve(listen='http2')
        h2 = '--http2-prior-knowledge', '-w', '\n%{http_version} %{http_code}'

        out = server.curl(*h2, '{}/open/produce/http2/a//b%2Fc?key=k')
        self.assertRegex(out.decode(), r'^\{"topic":"http2".*\}\n2 200$')

        big = 'v' * 700000
        body = os.path.join(server.dir, 'body')
        with open(body, 'w', encoding='ascii') as f:
            json.dump([{'value': big}, {'value': 'w'}], f)

        out = server.curl(*h2, '{}/open/produce/http2', '-d', '@' + body)
        self.assertRegex(out.decode(), r'^\[\{.*\},\{.*\}\]\n2 200$')

        out = server.curl(*h2, '{}/open/produce/http2', '-T', body, '-X',
                          'POST')
        self.assertRegex(out.decode(), r'^\[\{.*\},\{.*\}\]\n2 200$')

        out = server.curl(*h2, '{}/produce/http2/m')
        self.assertRegex(out.decode(),
                         r'^\{"error":".*","status":401\}\n2 401$')

        out = server.curl(*h2, '{}/open/produce/http2', '-d', '[{"value":1}]')
        self.assertRegex(out.decode(),
                         r'^\{"error":".*","status":400\}\n2 400$')

        self.assertEqual([(r.key, r.value) for r in self.read('http2')],
                         [(b'k', b'a//b/c'), (None, big.encode()),
                          (None, b'w'), (None, big.encode()), (None, b'w')])

    @unittest.skipIf(NO_HTTP3, f'no HTTP/3 in {NO_HTTP3}')
    def test_http3(self):
        self.kafka.topic('http3')
        server = kafkatest.Nginx('', '')
        tls = os.path.join(self.kafka.dir, 'tls')
        server.write(kafkatest.producer(self.kafka.bootstrap), SERVER + f'''
        listen 127.0.0.1:{server.port} quic;
        ssl_certificate {tls}/broker.pem;
        ssl_certificate_key {tls}/broker.key;
''')
        self.start(server)
        produce = f'https://127.0.0.1:{server.port}/open/produce/http3'
        h3 = '--http3-only', '-k', '-w', '\n%{http_version} %{http_code}'

        out = server.curl(*h3, f'{produce}/a//b%2Fc?key=k')
        self.assertRegex(out.decode(), r'^\{"topic":"http3".*\}\n3 200$')

        big = 'v' * 700000
        body = os.path.join(server.dir, 'body')
        with open(body, 'w', encoding='ascii') as f:
            json.dump([{'value': big}, {'value': 'w'}], f)

        out = server.curl(*h3, produce, '-d', '@' + body)
        self.assertRegex(out.decode(), r'^\[\{.*\},\{.*\}\]\n3 200$')

        out = server.curl(*h3, produce, '-d', '[{"value":1}]')
        self.assertRegex(out.decode(),
                         r'^\{"error":".*","status":400\}\n3 400$')

        self.assertEqual([(r.key, r.value) for r in self.read('http3')],
                         [(b'k', b'a//b/c'), (None, big.encode()),
                          (None, b'w')])

    def test_chunked(self):
        self.kafka.topic('chunked')
        out = self.server.curl('-H', 'Transfer-Encoding: chunked', '-d',
                               '[{"value":"a"},{"value":"b"},]',
                               '{}/open/produce/chunked')
        records = self.check_metadata(json.loads(out), 'chunked')
        self.assertEqual([r.value for r in records], [b'a', b'b'])

    def test_expect(self):
        self.kafka.topic('expect')

        with self.server.connect() as s:
            s.sendall(b'POST /open/produce/expect HTTP/1.1\r\nHost: a\r\n'
                      b'Expect: 100-continue\r\nContent-Length: 13\r\n\r\n')
            self.assertRegex(s.recv(100), rb'^HTTP/1\.1 100 ')
            s.sendall(b'{"value":"v"}')
            answer = kafkatest.read_response(s)

        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([r.value for r in self.read('expect')], [b'v'])

    def test_nothing_is_spooled(self):
        self.kafka.topic('spool')
        answer = self.post('spool', [{'value': 'v' * 500000}] * 10)
        self.assertEqual(answer.status, 200, answer)
        self.assertFalse(re.search('buffered to a temporary file',
                                   self.server.log()))

    def secure(self, listener, *properties):
        """A key that only root may read will do, whoever the worker is."""

        self.kafka.topic(listener)
        server = kafkatest.Nginx(
            kafkatest.producer(self.kafka.addresses(listener), *properties),
            SERVER, user='www-data')
        os.chmod(server.dir, 0o755)
        self.start(server)

        answer = self.post(listener, {'value': 'v'}, server)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([r.value for r in self.read(listener)], [b'v'])
        return server

    def test_tls(self):
        tls = os.path.join(self.kafka.dir, 'tls')
        os.chmod(self.kafka.dir, 0o755)
        os.chmod(tls, 0o755)
        os.chmod(os.path.join(tls, 'client.key'), 0o600)
        self.secure('ssl', 'security.protocol ssl',
                    f'ssl.ca.location {tls}/ca.pem',
                    f'ssl.certificate.location {tls}/client.pem',
                    f'ssl.key.location {tls}/client.key')

    def test_sasl(self):
        server = self.secure('sasl', 'security.protocol sasl_plaintext',
                             'sasl.mechanism PLAIN', 'sasl.username test',
                             'sasl.password test-secret')
        self.assertNotIn('test-secret', server.log())

    def test_sasl_refused(self):
        self.kafka.topic('refused')
        server = kafkatest.Nginx(
            kafkatest.producer(self.kafka.addresses('sasl'),
                               'security.protocol sasl_plaintext',
                               'sasl.mechanism PLAIN', 'sasl.username test',
                               'sasl.password wr0ng-secret',
                               'message.timeout.ms 1000'), SERVER)
        self.start(server)
        answer = self.post('refused', {'value': 'v'}, server)
        self.assertEqual(answer.status, 503, answer)
        self.assertRegex(server.log(), 'uthentication failed')
        self.assertNotIn('wr0ng-secret', server.log())

    def test_broker_restarts(self):
        self.check_restart('restart', 'stop')

    def test_broker_killed_and_restarted(self):
        self.check_restart('killed', 'kill')

    def check_restart(self, topic, how):
        self.kafka.topic(topic)
        server = self.serve('message.timeout.ms 2000')
        self.assertEqual(self.post(topic, {'value': '0'}, server).status, 200)

        self.kafka.util(how, '1')

        try:
            start = time.monotonic()
            answer = self.post(topic, {'value': 'lost'}, server)
            self.assertIn(answer.status, (503, 504), answer)
            self.assertLess(time.monotonic() - start, 5)

        finally:
            self.kafka.util('restart', '1')

        kafkatest.wait_for(
            lambda: self.post(topic, {'value': '1'}, server).status == 200,
            20, 'the broker is found again')
        self.assertEqual([r.value for r in self.read(topic)], [b'0', b'1'])


class Cluster(kafkatest.TestCase):
    """Three nodes, of which one dies, or each is restarted."""

    def load(self, topic, partitions, **options):
        self.kafka = kafkatest.Kafka(3)
        self.addCleanup(self.kafka.stop)
        self.kafka.topic(topic, partitions, 3, min_insync_replicas='2')
        server = self.nginx(kafkatest.producer(self.kafka.bootstrap))
        return kafkatest.Load(server, topic, **options)

    def check(self, load, topic):
        """Each acknowledged message is there, none is there twice."""

        values = [int(r.value) for r in
                  kafkatest.read_topic(self.kafka.bootstrap, topic)]
        self.assertEqual(load.acknowledged - set(values), set())
        self.assertEqual(len(values), len(set(values)))

    def in_sync(self, topic):
        consumer = confluent_kafka.Consumer(
            {'bootstrap.servers': self.kafka.bootstrap, 'group.id': 'none'})
        try:
            meta = consumer.list_topics(topic, 10).topics[topic]
            return all(len(p.isrs) == 3 for p in meta.partitions.values())
        finally:
            consumer.close()

    def test_a_rolling_restart(self):
        """Its operator waits for the replicas; no caller sees it."""

        load = self.load('rolling', 24, clients=32, keyed=True)
        try:
            for node in '123':
                load.wait_for_more(2000)
                self.kafka.util('stop', node)
                load.wait_for_more(2000)
                self.kafka.util('restart', node)
                kafkatest.wait_for(lambda: self.in_sync('rolling'), 60,
                                   'all replicas are in sync')
        finally:
            load.stop()

        self.check(load, 'rolling')
        self.assertEqual({*load.answers}, {200}, load.answers)

    def test_a_node_dies_under_load(self):
        load = self.load('survivor', 6)
        load.wait_for_more(500)
        self.kafka.util('kill', '2')
        load.wait_for_more(500)     # by the leaders that are left
        self.kafka.util('restart', '2')
        load.wait_for_more(500)
        load.stop()

        self.check(load, 'survivor')
        self.assertLessEqual(set(load.answers), {200, 503, 504}, load.answers)
        self.assertGreater(load.answers[200], 100)


if __name__ == '__main__':
    kafkatest.unittest.main()
