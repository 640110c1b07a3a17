#!/usr/bin/python3
"""docs/openapi.yaml is valid, and true of a server.

schemathesis makes requests of it that must be accepted, and others that must be
refused, and compares the answers.  OPENAPI_EXAMPLES is how many for each
operation; with OPENAPI_SEED, they are others each time.
"""

import base64
import copy
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(HERE, '../lib')
VENV = subprocess.run([os.path.join(HERE, 'fetch-schemathesis.sh')],
                      stdout=subprocess.PIPE, text=True,
                      check=True).stdout.strip()

PYTHON = f'{VENV}/bin/python'

if sys.prefix != VENV:
    os.execv(PYTHON, [PYTHON, os.path.abspath(__file__), *sys.argv[1:]])

sys.path.insert(0, LIB)

import jsonschema
import openapi_spec_validator
import yaml

import kafkatest


TOPICS = ['greetings', 'cities']
PARTITIONS = 4
USER = {'Authorization': 'Basic ' + base64.b64encode(b'myuser:mypass').decode()}

# the paths of a server where all is well, and of others where it is not

HTTP = '''
    limit_req_zone $server_port zone=one:1m rate=1r/m;

    kafka_producer main  {{ bootstrap.servers {kafka}; }}
    kafka_producer small {{ bootstrap.servers {kafka};
                            message.max.bytes 1000; }}
    kafka_producer away  {{ bootstrap.servers 127.0.0.1:1;
                            message.timeout.ms 500; }}
    kafka_producer late  {{ bootstrap.servers {mock};
                            message.timeout.ms 2000; }}
    kafka_producer odd   {{ bootstrap.servers {odd}; }}
'''

SERVER = '''
        client_max_body_size 100k;
        auth_basic_user_file users;
        auth_basic           Kafka;

        location /produce        {{ error_page 418 /refused;
                                    kafka_produce main; }}
        location /deny/produce   {{ deny all;         kafka_produce main; }}
        location /limit/produce  {{ limit_req zone=one;
                                    limit_req_status 429;
                                    kafka_produce main; }}
        location /small/produce  {{ kafka_produce small; }}
        location /away/produce   {{ kafka_produce away; }}
        location /late/produce   {{ kafka_produce late; }}
        location /odd/produce    {{ kafka_produce odd; }}

        location = /status       {{ auth_basic off; error_page 418 /refused;
                                    kafka_status; }}
        location = /metrics      {{ auth_basic off; error_page 418 /refused;
                                    kafka_status prometheus; }}
        location = /health       {{ auth_basic off; error_page 418 /refused;
                                    kafka_health main; }}
        location = /away/health  {{ auth_basic off; kafka_health away; }}
        {early_errors}
'''


def read(*path):
    with open(os.path.join(kafkatest.ROOT, *path), encoding='utf-8') as f:
        return f.read()


def document():
    return yaml.safe_load(read('docs/openapi.yaml'))


def early_errors():
    """The documented lines for what nginx refuses early."""

    return re.search(r'^    error_page 400 405 .*?^    }\n',
                     read('docs/operations.md'), re.M | re.S).group()


def with_topics(doc):
    """The document of a server whose topics are known.

    Which topics and partitions there are, and that a topic in a message must be
    that of the path, no general document can say.
    """

    doc = copy.deepcopy(doc)
    schemas = doc['components']['schemas']

    schemas['Topic'] = {'type': 'string', 'enum': TOPICS}
    schemas['Partition']['maximum'] = PARTITIONS - 1

    doc['components']['parameters']['Topic']['schema'] = {
        'type': 'string', 'enum': ['cities']}
    schemas['TopicMessage']['properties']['topic'] = {'enum': ['cities', None]}

    return doc


def operations(doc, *tags):
    for path, item in doc['paths'].items():
        for method in 'get', 'head', 'post':
            if method in item and (not tags or item[method]['tags'] == [*tags]):
                yield path, method.upper(), item[method]


def resolve(doc, thing):
    while '$ref' in thing:
        names = thing['$ref'].removeprefix('#/').split('/')
        thing = doc
        for name in names:
            thing = thing[name]

    return thing


def check(doc, schema, value):
    jsonschema.Draft202012Validator(
        {**schema, 'components': doc['components']}).validate(value)


class OpenAPI(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)

        for topic in TOPICS:
            # times far ahead are data like others here
            cls.kafka.topic(topic, PARTITIONS,
                            message_timestamp_after_max_ms=str(2 ** 63 - 1))

    def serve(self):
        odd = self.mock()
        late = self.mock()
        server = kafkatest.Nginx(
            HTTP.format(kafka=self.kafka.bootstrap, mock=late.bootstrap,
                        odd=odd.bootstrap),
            SERVER.format(early_errors=early_errors()))

        with open(os.path.join(server.dir, 'users'), 'w',
                  encoding='ascii') as f:
            f.write('myuser:{PLAIN}mypass\n')

        return self.start(server), late, odd

    def test_valid(self):
        openapi_spec_validator.validate(document())

    def test_examples_of_answers(self):
        doc = document()
        count = 0

        for path, method, operation in operations(doc):
            for status, answer in operation['responses'].items():
                for content in resolve(doc, answer).get('content', {}).values():
                    for name, example in content['examples'].items():
                        with self.subTest(path=path, method=method, name=name):
                            self.check_example(doc, content['schema'], status,
                                               example['value'])
                        count += 1

        self.assertGreater(count, 70)

    def check_example(self, doc, schema, status, value):
        check(doc, schema, value)
        if 'error' in value and status != '200':
            self.assertEqual(value['status'], int(status))

    def schemathesis(self, doc, *options, **env):
        server = self.serve()[0]
        kafkatest.wait_for(lambda: server.get('/health').status == 200,
                           what='Kafka is reached')
        path = os.path.join(server.dir, 'openapi.json')

        with open(path, 'w', encoding='utf-8') as f:
            json.dump(doc, f)

        seed = os.environ.get('OPENAPI_SEED')
        chance = (['--seed', seed, '--generation-database', 'none'] if seed
                  else ['--generation-deterministic'])

        done = subprocess.run([
            f'{VENV}/bin/schemathesis', 'run', path,
            '--url', f'http://127.0.0.1:{server.port}',
            '--auth', 'myuser:mypass', '--checks', 'all', '--mode', 'all',
            '--max-examples', os.environ.get('OPENAPI_EXAMPLES', '100'),
            *chance, '--generation-with-security-parameters', 'false',
            '--request-timeout', '20', '--continue-on-failure', '--no-color',
            *options],
            env={**os.environ, **env, 'PYTHONPATH': LIB,
                 'SCHEMATHESIS_HOOKS': 'openapi_hooks'},
            cwd=server.dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)

        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r'\n *Tested: 11\n')
        for phase in 'Examples', 'Coverage', 'Fuzzing':
            self.assertIn(f'✅ {phase}\n', done.stdout)

    def test_a_server_with_known_topics(self):
        self.schemathesis(with_topics(document()), OPENAPI_TOPICS_KNOWN='yes')

    def test_any_server(self):
        # what may be a partition need not be one of a topic

        self.schemathesis(document(), '--exclude-checks',
                          'positive_data_acceptance')

    def test_each_status(self):
        """Each answer of the document can be had, and is as it says."""

        doc = document()
        server, late, odd = self.serve()
        odd.command('fail 0 INVALID_REQUIRED_ACKS 1000')

        body = '{"value":"v","topic":"cities"}'
        many = '{"topic":"cities","value":"v","more":"%s"}' % ('x' * 200000)
        large = 'x' * 2000

        for path, method, operation in operations(doc, 'produce'):
            form = path.replace('{topic}', 'cities').replace('{message}', 'v')
            by_path = '{message}' in path

            def ask(prefix='', method=method, path=form, body=body,
                    headers=USER):
                return server.request(method, prefix + path,
                                      None if by_path else body,
                                      headers=headers)

            ask('/limit')

            def too_late():
                """A client that was replaced has sent nothing (503) before
                the broker has given it an id: then once more."""

                for _ in range(5):
                    late.command('rtt -1 0')

                    # by the isolated client, and by the one that was replaced

                    kafkatest.wait_for(lambda: ask('/late').status == 200
                                       and ask('/late').status == 200,
                                       what='a broker in time')
                    late.command('rtt -1 3000')
                    answer = ask('/late')
                    if answer.status != 503:
                        break
                return answer

            answers = {
                '200': ask(),
                '400': ask(path='/produce/a!/v') if by_path else ask(body='{'),
                '401': ask(headers={}),
                '403': ask('/deny'),
                '404': ask(path=form.replace('cities', 'nope'),
                           body='{"topic":"nope","value":"v"}'),
                '405': ask(method='PUT'),
                '413': (ask('/small', path=form + large) if by_path
                        else ask(body=many)),
                '414': ask(path=form + '?' + 10 * large),
                '415': ask(headers={**USER, 'Content-Encoding': 'gzip'}),
                '429': ask('/limit'),
                '500': ask('/odd'),
                '503': ask('/away'),
                '504': too_late(),
            }

            self.check_answers(doc, path, method, operation, answers)

            for status, answer in answers.items():
                if status in operation['responses'] and status != '200':
                    self.assertEqual(answer.json['status'], int(status))
                    if status in ('500', '504'):
                        self.assertIn('results', answer.json)

    def test_each_status_for_operators(self):
        doc = document()
        server, _, odd = self.serve()
        odd.command('fail 0 INVALID_REQUIRED_ACKS 1000')

        # so that there is something of everything to tell

        for path in '', '/odd':
            server.get(path + '/produce/cities/v', headers=USER)

        def producers():
            return server.get('/status').json['producers']

        kafkatest.wait_for(
            lambda: all('round_trip_seconds' in broker
                        for broker in producers()['main']['brokers'] or [{}])
            and producers()['away']['brokers'],
            what='statistics')
        self.assertTrue(producers()['odd']['messages_failed'])

        for path, method, operation in operations(doc, 'operate'):
            def ask(prefix='', method=method, path=path):
                return server.request(method, prefix + path)

            answers = {'200': ask(), '405': ask(method='PUT')}
            if path == '/health':
                answers['503'] = ask('/away')

            self.check_answers(doc, path, method, operation, answers)

    def check_answers(self, doc, path, method, operation, answers):
        for status, answer in operation['responses'].items():
            with self.subTest(path=path, method=method, status=status):
                self.check_answer(doc, resolve(doc, answer), status,
                                  answers[status])

    def check_answer(self, doc, documented, status, answer):
        self.assertEqual(answer.status, int(status), answer)

        if 'content' not in documented:
            self.assertEqual(answer.body, b'')
            self.assertGreater(int(answer.headers['Content-Length']), 0)

        for kind, content in documented.get('content', {}).items():
            self.assertEqual(answer.headers['Content-Type'], kind)
            check(doc, content['schema'], answer.json
                  if kind == 'application/json' else answer.body.decode())

        for name, header in documented.get('headers', {}).items():
            header = resolve(doc, header)
            value = answer.headers[name]
            self.assertIsNotNone(value, name)
            if header['schema']['type'] == 'integer':
                value = int(value)
            check(doc, header['schema'], value)


if __name__ == '__main__':
    kafkatest.unittest.main()
