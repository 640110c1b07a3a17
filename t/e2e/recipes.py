#!/usr/bin/python3
"""Each recipe of docs/recipes, as it is: what it lets in, what it refuses."""

import base64
import concurrent.futures
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
import recipetest
from kafkatest import free_port, wait_for
from recipetest import basic

APP = 'https://app.example.com'
PAGE = 'https://other.example.net'


class RecipeTest(kafkatest.TestCase):
    files = ()                  # of docs/recipes

    @classmethod
    def setUpClass(cls):
        cls.ca = recipetest.Authority()
        cls.addClassCleanup(cls.ca.stop)
        cls.certificate = cls.ca.serve('kafka.example.com')

    def setUp(self):
        self.broker = self.mock()
        for topic in 'orders', 'page-views', 'greetings', 'cities':
            self.broker.command(f'topic {topic} 1')

    def recipe(self, changes=None, brokers=None):
        """The first of its files, not started yet."""

        server = recipetest.Recipe(self.files[0], brokers or
                                   self.broker.bootstrap, changes)

        if '443 ssl' in recipetest.documented(self.files[0]):
            server.put('tls/server.pem', self.ca.text('server.pem'))
            server.put('tls/server.key', self.ca.text('server.key'), 0o600)
            server.tls = self.ca.context()

        return server

    def values(self, topic, broker=None):
        return [r.value.decode() for r in kafkatest.read_topic(
            broker or self.broker.bootstrap, topic)]

    def assertProduced(self, answer, topic):
        self.assertEqual(answer.status, 200, answer)
        entries = answer.json
        for entry in entries if isinstance(entries, list) else [entries]:
            self.assertEqual(entry['topic'], topic)
            self.assertGreaterEqual(entry['offset'], 0)

    def assertRefused(self, answer, status, text='.'):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers['Content-Type'], 'application/json')
        self.assertEqual(answer.json['status'], status)
        self.assertRegex(answer.json['error'], text)

    def until_refused(self, ask):
        """Asks, eight at a time, until one is a 429: that, and how often the
        answer was 200.
        """

        good, refused = 0, None
        end = time.monotonic() + 20

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            while refused is None and time.monotonic() < end:
                for answer in pool.map(lambda _: ask(), range(8)):
                    if answer.status == 200:
                        good += 1
                    else:
                        refused = answer

        self.assertIsNotNone(refused, f'none of {good} was refused')
        return refused, good


class Mixed(unittest.TestCase):
    def test_variables_have_names_of_their_own(self):
        """The last one of a name would win, and nginx would not say so."""

        found = {}
        for folder, _, names in os.walk(recipetest.RECIPES):
            for name in names:
                with open(os.path.join(folder, name), encoding='utf-8') as f:
                    for variable in set(re.findall(
                            r'(?:map|geo|split_clients)\s.*(\$\w+)\s*{',
                            f.read())):
                        found.setdefault(variable, []).append(name)

        self.assertIn('$cors_origin', found)
        self.assertEqual({}, {variable: names for variable, names in
                              found.items() if len(names) > 1})


class BasicAuth(RecipeTest):
    files = ('basic-auth.conf',)

    def setUp(self):
        super().setUp()
        self.server = self.recipe()
        self.server.put('kafka.users', recipetest.hashed('myuser', 'mypass'))
        self.start(self.server)

    def test_right_password(self):
        answer = self.server.post('/produce/greetings', {'value': 'hello'},
                                  headers=basic('myuser', 'mypass'))
        self.assertProduced(answer, 'greetings')
        self.assertEqual(self.values('greetings'), ['hello'])

    def test_wrong_password(self):
        for headers in {}, basic('myuser', 'wrong'), basic('other', 'mypass'):
            answer = self.server.post('/produce/greetings', {'value': 'hello'},
                                      headers=headers)
            self.assertRefused(answer, 401, 'credentials')
            self.assertEqual(answer.headers['WWW-Authenticate'],
                             'Basic realm="Kafka"')

        self.assertEqual(self.values('greetings'), [])


class ClientCertificates(RecipeTest):
    files = ('mtls.conf',)

    def setUp(self):
        super().setUp()
        self.clients = recipetest.Authority('clients')
        self.addCleanup(self.clients.stop)
        self.server = self.recipe()
        self.server.put('tls/clients-ca.pem', self.clients.text('ca.pem'))
        self.start(self.server)

    def ask(self, *pair):
        self.server.tls = self.ca.context(*pair)
        return self.server.post('/produce/orders', {'value': 'hello'})

    def sign(self, subject, ca=None):
        return (ca or self.clients).sign('client', subject,
                                         'extendedKeyUsage=clientAuth')

    def test_known(self):
        for name in 'shop', 'billing':
            answer = self.ask(*self.sign(f'/O=Example/CN={name}'))
            self.assertProduced(answer, 'orders')

        self.assertEqual(self.values('orders'), ['hello'] * 2)

    def test_unknown(self):
        self.assertRefused(self.ask(), 403, 'certificate is required')

        for subject in ('/O=Example/CN=another', '/O=Example/CN=shop/CN=b',
                        '/O=x,CN=shop,O=Example/CN=y', '/CN=shop'):
            self.assertRefused(self.ask(*self.sign(subject)), 403, 'forbidden')

        other = recipetest.Authority('clients')
        self.addCleanup(other.stop)
        self.assertRefused(
            self.ask(*self.sign('/O=Example/CN=shop', other)), 403,
            'certificate is not accepted')

        self.assertEqual(self.values('orders'), [])

    def test_pages_of_its_own_are_not_served(self):
        self.server.tls = self.ca.context(*self.sign('/O=Example/CN=shop'))

        for path in '/certificate-missing', '/certificate-refused':
            self.assertEqual(self.server.get(path).status, 404)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=')


def token(secret=b'a secret of 32 bytes, at the least', header=None, **claims):
    claims = {'sub': 'shop', 'exp': time.time() + 60, 'topics': ['orders'],
              **claims}
    signed = b'.'.join(encode(json.dumps(part).encode()) for part in (
        header or {'alg': 'HS256', 'typ': 'JWT'}, claims))
    signature = encode(hmac.digest(secret, signed, 'sha256'))

    return {'Authorization': f'Bearer {(signed + b"." + signature).decode()}'}


class Tokens(RecipeTest):
    files = ('auth-request/nginx.conf', 'auth-request/check.py')

    def setUp(self):
        super().setUp()
        self.address = f'127.0.0.1:{free_port()}'
        self.server = self.recipe({'127.0.0.1:9000': self.address})
        self.secret = self.server.put(
            'check.secret', 'a secret of 32 bytes, at the least\n', 0o600)
        self.start(self.server)

    def check(self):
        """The service of the recipe."""

        with open(os.path.join(self.server.dir, 'check.log'), 'w',
                  encoding='utf-8') as log:
            service = subprocess.Popen(
                [os.path.join(recipetest.RECIPES, self.files[1]), self.secret,
                 self.address.partition(':')[2]], stderr=log)

        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        wait_for(lambda: not kafkatest.is_free(
            int(self.address.partition(':')[2])), what='the service starts')

    def ask(self, headers, path='/produce/orders', body='{"value":"hello"}'):
        return self.server.post(path, body, headers=headers)

    def test_good_token(self):
        self.check()
        self.assertProduced(self.ask(token()), 'orders')
        self.assertProduced(self.server.get('/produce/orders/m?key=k',
                                            headers=token()), 'orders')
        self.assertProduced(self.ask(token(topics=['*']), '/produce',
                                     '[{"topic":"cities","value":"London"}]'),
                            'cities')
        self.assertEqual(self.values('orders'), ['hello', 'm'])
        self.assertEqual(self.values('cities'), ['London'])

        # many, over connections that are kept

        big = json.dumps([{'value': 'v' * 1000}] * 100)
        for _ in range(20):
            self.assertProduced(self.ask(token(), body=big), 'orders')

    def test_bad_token(self):
        self.check()
        good = token()['Authorization']
        head, _, signature = good.rpartition('.')

        for headers in (
                {},
                {'Authorization': 'Bearer'},
                {'Authorization': 'Bearer a.b.c'},
                {'Authorization': 'Bearer \xe9.b.c'},
                {'Authorization': good.replace('Bearer', 'Basic')},
                {'Authorization': f'{head}.'},
                {'Authorization': f'{head}x.{signature}'},
                token(secret=b'another'),
                token(exp=time.time() - 1),
                token(exp=None),
                token(exp='never'),
                token(topics=None),
                token(header={'alg': 'none'}),
                token(header=['HS256'])):
            with self.subTest(headers=headers):
                answer = self.ask(headers)
                self.assertRefused(answer, 401, 'credentials')
                self.assertEqual(answer.headers['WWW-Authenticate'],
                                 'Bearer realm="Kafka"')

        self.assertEqual(self.values('orders'), [])

    def test_another_topic(self):
        """Nor by the body, by a header, or by a way to write the path."""

        self.check()
        body = '{"topic":"cities","value":"v"}'

        for path, headers in (('/produce/cities', {}),
                              ('/produce', {}),
                              ('/produce/', {}),
                              ('/produce', {'X-Topic': 'orders'}),
                              ('/produce/%63ities', {}),
                              ('/produce/orders%0d%0aX-Topic:%20cities', {}),
                              ('/produce/order', {})):
            with self.subTest(path=path):
                self.assertRefused(self.ask({**token(), **headers}, path, body),
                                   403, 'forbidden')

        for path in ('/produce/orders/../cities',
                     '/produce/orders%2F..%2Fcities', '//produce/cities',
                     '/produce/./cities'):
            with self.subTest(path=path):
                self.assertIn(self.ask(token(), path, body).status,
                              (400, 403, 405))

        answer = self.ask(token(), body=body)
        self.assertRefused(answer, 400, 'must equal')

        self.assertEqual(self.values('cities'), [])
        self.assertEqual(self.values('orders'), [])

    def test_no_service(self):
        self.assertRefused(self.ask(token()), 500, 'failed')
        self.assertEqual(self.values('orders'), [])


class Limits(RecipeTest):
    files = ('limits.conf',)

    def setUp(self):
        super().setUp()
        self.server = self.start(self.recipe())

    def ask(self):
        return self.server.post('/produce/orders', {'value': 'v'})

    def check_refusal(self, answer):
        self.assertRefused(answer, 429, 'too many requests')
        self.assertEqual(answer.headers.get_all('Retry-After'), ['1'])

    def test_rate(self):
        refused, good = self.until_refused(self.ask)
        self.check_refusal(refused)
        self.assertGreaterEqual(good, 100)

        wait_for(lambda: self.ask().status == 200, what='it goes on')
        self.assertEqual(self.values('orders'), ['v'] * (good + 1))

        self.server.source = '127.0.0.2'
        self.assertProduced(self.ask(), 'orders')

    def test_at_once(self):
        body = b'{"value":"w"}'
        held = [self.server.connect() for _ in range(20)]

        for s in held:
            self.addCleanup(s.close)
            s.sendall(b'POST /produce/orders HTTP/1.1\r\nHost: a\r\n'
                      b'Expect: 100-continue\r\n'
                      b'Content-Length: %d\r\n\r\n' % len(body))
            self.assertEqual(s.recv(1000), b'HTTP/1.1 100 Continue\r\n\r\n')

        self.check_refusal(self.ask())

        for s in held:
            s.sendall(body)
            self.assertProduced(kafkatest.read_response(s), 'orders')

        self.assertProduced(self.ask(), 'orders')
        self.assertEqual(self.values('orders'), ['w'] * 20 + ['v'])

    def test_size(self):
        answer = self.server.post('/produce/orders', {'value': 'v' * 250000})
        self.assertProduced(answer, 'orders')
        self.assertIsNone(answer.headers['Retry-After'])

        answer = self.server.post('/produce/orders', {'value': 'v' * 300000})
        self.assertRefused(answer, 413, 'larger')
        self.assertIsNone(answer.headers['Retry-After'])
        self.assertEqual(len(self.values('orders')), 1)


class Brokers(RecipeTest):
    files = ('brokers/nginx.conf', 'brokers/secrets.conf')

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.topic('orders')
        cls.kafka.topic('audit')

    def setUp(self):
        pass

    def serve(self, password='test-secret', tls=None):
        server = recipetest.Recipe(self.files[0], changes={
            recipetest.BROKERS.replace('9092', '9094'):
                self.kafka.addresses('sasl_ssl'),
            recipetest.BROKERS.replace('9092', '9093'):
                self.kafka.addresses('ssl')})

        secrets = recipetest.documented(self.files[1])
        self.assertRegex(secrets, '(?m)^sasl.username  nginx;\n'
                                  '^sasl.password  "change me";$')
        server.put('kafka/secrets.conf',
                   secrets.replace('username  nginx', 'username  test')
                   .replace('change me', password), 0o600)

        for name in 'ca.pem', 'client.pem', 'client.key':
            shutil.copyfile(
                os.path.join(tls or os.path.join(self.kafka.dir, 'tls'), name),
                os.path.join(server.dir, 'kafka', name))
        os.chmod(os.path.join(server.dir, 'kafka/client.key'), 0o600)

        return self.start(server)

    def test_right_secrets(self):
        """Also after a reload: the workers' user can read none of them."""

        server = self.serve()
        server.post('/produce/orders', {'value': 'first'})
        server.reload()

        self.assertProduced(server.post('/produce/orders', {'value': 'a'}),
                            'orders')
        self.assertProduced(server.post('/audit/produce/audit', {'value': 'b'}),
                            'audit')
        self.assertEqual(self.values('orders', self.kafka.bootstrap),
                         ['first', 'a'])
        self.assertEqual(self.values('audit', self.kafka.bootstrap), ['b'])

    def test_wrong_secrets(self):
        ca = recipetest.Authority()
        self.addCleanup(ca.stop)
        ca.sign('client', '/CN=client', 'extendedKeyUsage=clientAuth')
        tls = self.serve(tls=ca.dir)
        password = self.serve(password='wr0ng secret')

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda ask: ask[0].get(ask[1]), (
                (tls, '/produce/orders/no'), (tls, '/audit/produce/audit/no'),
                (password, '/produce/orders/no'))))

        self.assertRefused(answers[0], 503, 'TLS')
        self.assertRefused(answers[1], 503, 'TLS')
        self.assertRefused(answers[2], 503, 'credentials')
        self.assertIn('uthentication failed', password.log())
        self.assertNotIn('wr0ng', password.log())

        for topic in 'orders', 'audit':
            self.assertNotIn('no', self.values(topic, self.kafka.bootstrap))


class CrossOrigin(RecipeTest):
    """t/e2e/browser.py has what a browser does."""

    files = ('cors.conf',)

    def setUp(self):
        super().setUp()
        self.server = self.recipe()
        self.server.put('kafka.users', recipetest.hashed('myuser', 'mypass'))
        self.start(self.server)

    def ask(self, origin, body='{"value":"v"}', method='POST',
            path='/produce/orders', **headers):
        if origin is not None:
            headers['Origin'] = origin
        return self.server.request(method, path, body, headers)

    def question(self, origin):
        return self.ask(origin, None, 'OPTIONS', **{
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers': 'authorization,content-type'})

    def assertReadable(self, answer, origin=APP):
        self.assertEqual(cors(answer), {
            'Allow-Origin': origin, 'Allow-Credentials': 'true',
            'Expose-Headers': 'Retry-After'})
        self.assertEqual(answer.headers.get_all('Vary'), ['Origin'])

    def assertUnreadable(self, answer):
        self.assertNotIn('Allow-Origin', cors(answer))
        self.assertNotIn('Allow-Credentials', cors(answer))
        self.assertEqual(answer.headers.get_all('Vary'), ['Origin'])

    def test_question(self):
        for origin in APP, 'https://admin.example.com':
            answer = self.question(origin)
            self.assertEqual((answer.status, answer.body), (204, b''))
            self.assertEqual(cors(answer), {
                'Allow-Origin': origin, 'Allow-Credentials': 'true',
                'Allow-Methods': 'POST', 'Max-Age': '7200',
                'Allow-Headers': 'Authorization, Content-Type',
                'Expose-Headers': 'Retry-After'})
            self.assertEqual(answer.headers.get_all('Vary'), ['Origin'])

    def test_answers(self):
        password = basic('myuser', 'mypass')
        answer = self.ask(APP, **password)
        self.assertProduced(answer, 'orders')
        self.assertReadable(answer)

        answer = self.ask(APP)
        self.assertRefused(answer, 401)
        self.assertReadable(answer)
        self.assertIn('WWW-Authenticate', answer.headers)

        answer = self.ask(APP, '[{"value":1}]', **password)
        self.assertRefused(answer, 400, 'value')
        self.assertReadable(answer)

        answer = self.ask(APP, 'v' * 2000000, **password)
        self.assertRefused(answer, 413, 'larger')
        self.assertReadable(answer)

        self.broker.command('error unknown UNKNOWN_TOPIC_OR_PART')
        answer = self.ask(APP, path='/produce/unknown', **password)
        self.assertRefused(answer, 404, 'does not exist')
        self.assertReadable(answer)

        self.broker.command('fail 0 TOPIC_AUTHORIZATION_FAILED')
        answer = self.ask(APP, **password)
        self.assertRefused(answer, 403)
        self.assertIn('results', answer.json)
        self.assertReadable(answer)

    def test_too_many(self):
        refused, good = self.until_refused(
            lambda: self.ask(APP, **basic('myuser', 'mypass')))
        self.assertRefused(refused, 429)
        self.assertReadable(refused)
        self.assertEqual(self.values('orders'), ['v'] * good)

        # the question is never refused

        self.assertEqual({self.question(APP).status for _ in range(100)},
                         {204})

    def test_other_origins(self):
        password = basic('myuser', 'mypass')

        for origin in (PAGE, 'null', 'http://app.example.com', APP + ':444',
                       APP + '.example.net', 'a|b', '|', APP + '|'):
            with self.subTest(origin=origin):
                answer = self.question(origin)
                self.assertRefused(answer, 403)
                self.assertUnreadable(answer)

                answer = self.ask(origin, **password)
                self.assertRefused(answer, 403)
                self.assertUnreadable(answer)

        self.assertEqual(self.values('orders'), [])

    def test_no_origin(self):
        """curl sends none; an <img> does not, either."""

        password = basic('myuser', 'mypass')
        answer = self.ask(None, **password)
        self.assertProduced(answer, 'orders')
        self.assertUnreadable(answer)
        self.assertRefused(self.ask(None), 401)
        self.assertRefused(self.ask(None, None, 'GET', '/produce/orders/m',
                                    **password), 403)
        self.assertEqual(self.values('orders'), ['v'])


def cors(answer):
    prefix = 'Access-Control-'
    return {name[len(prefix):]: value for name, value in answer.headers.items()
            if name.startswith(prefix)}


class Beacon(RecipeTest):
    """t/e2e/browser.py has what a browser does."""

    files = ('beacon.conf',)

    def setUp(self):
        super().setUp()
        self.server = self.start(self.recipe())

    def ask(self, origin=APP, body='{"value":"v"}', method='POST',
            path='/beacon'):
        headers = {'Content-Type': 'text/plain;charset=UTF-8'}
        if origin is not None:
            headers['Origin'] = origin
        return self.server.request(method, path, body, headers)

    def test_beacon(self):
        self.assertProduced(self.ask(), 'page-views')
        self.assertEqual(self.values('page-views'), ['v'])

    def test_other_origins(self):
        for origin in None, 'null', PAGE, APP + '.example.net':
            self.assertEqual(self.ask(origin).status, 403)

        self.assertEqual(self.values('page-views'), [])

    def test_other_topics(self):
        answer = self.ask(body='{"topic":"orders","value":"v"}')
        self.assertRefused(answer, 400, 'must equal')

        for path in '/beacons/orders', '/beacons', '/beacons/orders/m':
            self.assertRefused(self.ask(path=path), 404)

        for path in '/beacon/orders', '/beacon/':
            self.assertEqual(self.ask(path=path).status, 404)

        self.assertEqual(self.values('orders'), [])
        self.assertEqual(self.values('page-views'), [])

    def test_other_methods(self):
        for method in 'GET', 'PUT', 'OPTIONS':
            self.assertRefused(self.ask(method=method), 403)

        self.assertEqual(self.values('page-views'), [])

    def test_too_many(self):
        refused, good = self.until_refused(self.ask)
        self.assertRefused(refused, 429)
        self.assertEqual(self.values('page-views'), ['v'] * good)

    def test_size(self):
        self.assertRefused(self.ask(body='{"value":"%s"}' % ('v' * 70000)), 413)


class LoadBalancer(RecipeTest):
    files = ('load-balancer.conf',)

    def setUp(self):
        super().setUp()
        self.server = self.start(self.recipe({'10.0.0.0/28': '127.0.0.1/32'}))

    def ask(self, forwarded='198.51.100.1', method='POST'):
        headers = {'X-Forwarded-For': forwarded} if forwarded else {}
        return self.server.request(method, '/produce/orders', '{"value":"v"}',
                                   headers)

    def addresses(self, count):
        """Of so many requests; a request is logged after its answer."""

        return wait_for(lambda: len(found := re.findall(
            '(?m)^[0-9.]+', self.server.access_log())) == count and found,
            what=f'{count} lines in the log')

    def test_real_address(self):
        self.assertProduced(self.ask(), 'orders')
        self.assertEqual(self.addresses(1), ['198.51.100.1'])

        # what a caller says of itself comes before what the balancer adds

        self.assertProduced(self.ask('203.0.113.7, 198.51.100.1'), 'orders')
        self.assertRefused(self.ask('198.51.100.1, 203.0.113.7'), 403)
        self.assertRefused(self.ask('203.0.113.7, 127.0.0.1'), 403)
        self.assertEqual(self.values('orders'), ['v', 'v'])

    def test_past_the_balancer(self):
        self.server.source = '127.0.0.2'

        for forwarded in None, '198.51.100.1', '127.0.0.1':
            self.assertRefused(self.ask(forwarded), 403)

        self.assertEqual(self.addresses(3), ['127.0.0.2'] * 3)
        self.assertEqual(self.values('orders'), [])

    def test_each_caller_has_its_own_rate(self):
        refused, good = self.until_refused(self.ask)
        self.assertRefused(refused, 429)
        self.assertProduced(self.ask('198.51.100.2'), 'orders')
        self.assertEqual(self.values('orders'), ['v'] * (good + 1))

    def test_get(self):
        self.assertRefused(self.ask(method='GET'), 403)
        self.assertEqual(self.values('orders'), [])


class Clusters(RecipeTest):
    files = ('clusters.conf',)

    def setUp(self):
        super().setUp()
        self.archive = self.mock()
        self.archive.command('topic orders 1')
        self.server = self.start(self.recipe(
            {'archive-1.example.com:9092': self.archive.bootstrap}))

    def test_each_has_its_own(self):
        self.assertProduced(self.server.post('/produce/orders',
                                             {'value': 'a'}), 'orders')
        self.assertProduced(self.server.post('/archive/produce/orders',
                                             {'value': 'b'}), 'orders')
        self.assertEqual(self.values('orders'), ['a'])
        self.assertEqual(self.values('orders', self.archive.bootstrap), ['b'])

    def test_one_is_away(self):
        self.archive.command('down -1')

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.server.get, '/archive/produce/orders/m')

            self.assertProduced(self.server.get('/produce/orders/m'), 'orders')
            self.assertFalse(waiting.done())

            start = time.monotonic()
            self.assertRefused(waiting.result(), 503)
            self.assertLess(time.monotonic() - start, 8)

        self.assertEqual(self.values('orders'), ['m'])


class AccessLog(RecipeTest):
    files = ('access-log.conf',)

    FIELDS = {'time', 'id', 'address', 'method', 'status', 'request_time',
              'request_length', 'topic', 'messages', 'bytes', 'partition',
              'offset', 'parse_time', 'ack_time', 'error'}

    def setUp(self):
        super().setUp()
        self.server = self.start(self.recipe())
        self.count = 0

    def ask(self, *args, **kwargs):
        """An answer and its line; a request is logged after its answer."""

        answer = self.server.request(*args, **kwargs)
        self.count += 1

        with open(os.path.join(self.server.dir, 'kafka.log'), 'rb') as f:
            text = wait_for(
                lambda: f.seek(0) == 0 and
                (text := f.read()).count(b'\n') == self.count and text,
                what=f'{self.count} lines in the log')

        line = json.loads(text.splitlines()[-1])
        self.assertEqual(set(line), self.FIELDS)
        self.assertEqual(line['status'], answer.status)
        self.assertEqual(line['id'], answer.headers['X-Request-Id'])
        self.assertEqual(line['address'], '127.0.0.1')
        return answer, line

    def test_success(self):
        answer, line = self.ask('GET', '/produce/orders/a%22secret?key=k')
        self.assertProduced(answer, 'orders')
        self.assertEqual(
            {name: line[name] for name in ('topic', 'messages', 'bytes',
                                           'partition', 'offset', 'error')},
            {'topic': 'orders', 'messages': 1, 'bytes': 9, 'partition': 0,
             'offset': answer.json['offset'], 'error': ''})
        self.assertNotIn('secret', json.dumps(line))
        for name in 'request_time', 'parse_time', 'ack_time':
            self.assertIsInstance(line[name], float)

        answer, line = self.ask('POST', '/produce/orders',
                                '[{"value":"b"},{"value":"c"}]')
        self.assertEqual((line['messages'], line['bytes'], line['partition'],
                          line['offset']), (2, 2, None, None))
        self.assertEqual(self.values('orders'), ['a"secret', 'b', 'c'])

    def test_refusal(self):
        answer, line = self.ask('POST', '/produce/orders', '{"value":1}')
        self.assertRefused(answer, 400)
        self.assertEqual(line['error'], answer.json['error'])
        self.assertIn('"', line['error'])
        self.assertEqual((line['partition'], line['offset'], line['ack_time']),
                         (None, None, None))

        for body in (b'[{"value":\xff\x00"}]', b'{"\xff', b'["\xc3", "a\nb"]',
                     b'{"value":"a"} "\xe2\x82'):
            answer, line = self.ask('POST', '/produce/orders', body)
            self.assertRefused(answer, 400)
            self.assertEqual(line['error'], answer.json['error'])

        for target, status in (('/produce/%ff%22%0a/m', 400),
                               ('/produce/a/b/../../m', 400),
                               ('/produce/' + 'v' * 300, 400)):
            answer, line = self.ask('GET', target)
            self.assertRefused(answer, status)
            self.assertEqual((line['messages'], line['ack_time']), (0, None))
            self.assertEqual(line['error'], answer.json['error'])

        self.assertEqual(self.values('orders'), [])


class Prometheus(RecipeTest):
    """With a Prometheus, which t/e2e/fetch-prometheus.sh fetches."""

    files = ('prometheus/nginx.conf', 'prometheus/prometheus.yml',
             'prometheus/rules.yml')

    def setUp(self):
        super().setUp()
        self.server = self.start(self.recipe())
        self.assertProduced(self.server.post(
            '/produce/orders', [{'value': 'a'}, {'value': 'b'}]), 'orders')

    def look(self, path):
        return self.server.request('GET', path, port=9145)

    def test_who_may_look(self):
        self.assertIn('kafka_messages_acknowledged_total{producer="main"} 2\n',
                      self.look('/metrics').body.decode())
        self.assertIn('main', self.look('/status').json['producers'])
        wait_for(lambda: self.look('/health').json['status'] == 'up',
                 what='each worker has reached the broker')

        # neither others, nor anybody on the port for producing

        for path in '/metrics', '/status', '/health':
            self.server.source = '127.0.0.1'
            self.assertEqual(self.server.get(path).status, 404)
            self.server.source = '127.0.0.2'
            self.assertEqual(self.look(path).status, 403)

        self.assertProduced(self.server.get('/produce/orders/c'), 'orders')
        self.assertEqual(self.values('orders'), ['a', 'b', 'c'])

    def test_scrape(self):
        programs = subprocess.run(
            [os.path.join(HERE, 'fetch-prometheus.sh')], check=True, text=True,
            stdout=subprocess.PIPE).stdout.strip()
        text = recipetest.documented(self.files[1])

        for old, new in (('kafka.example.com:9145',
                          f'127.0.0.1:{self.server.ports[9145]}'),
                         ('scrape_interval: 15s', 'scrape_interval: 1s')):
            self.assertIn(old, text)
            text = text.replace(old, new)

        conf = self.server.put('prometheus.yml', text)
        rules = recipetest.documented(self.files[2])
        self.assertIn('offset 5m', rules)
        self.server.put('rules.yml', rules.replace('offset 5m', 'offset 2s'))

        subprocess.run([f'{programs}/promtool', 'check', 'config', conf],
                       check=True, capture_output=True)
        done = subprocess.run([f'{programs}/promtool', 'check', 'metrics'],
                              input=self.look('/metrics').body, check=False,
                              capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b''))

        port = free_port()
        data = os.path.join(self.server.dir, 'data')

        with open(os.path.join(self.server.dir, 'prometheus.log'), 'wb') as log:
            process = subprocess.Popen(
                [f'{programs}/prometheus', f'--config.file={conf}',
                 f'--storage.tsdb.path={data}',
                 f'--web.listen-address=127.0.0.1:{port}'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def ask(path):
            with urllib.request.urlopen(f'http://127.0.0.1:{port}/api/v1/'
                                        + path, timeout=10) as answer:
                return json.load(answer)['data']

        def query(expression):
            try:
                return {r['metric'].get('code', ''): float(r['value'][1])
                        for r in ask('query?' + urllib.parse.urlencode(
                            {'query': expression}))['result']}
            except OSError:
                return {}       # it starts

        wait_for(lambda: query('up{job="nginx-kafka"}') == {'': 1}, 30,
                 'nginx is scraped')
        self.assertEqual(query('kafka_messages_acknowledged_total'), {'': 2})
        wait_for(lambda: query('sum(kafka_broker_up)').get('', 0) >= 1, 30,
                 'the broker is seen')

        # what its rules look at is there, when things go wrong

        alerts = {rule['name']: rule['query'] for group in
                  ask('rules')['groups'] for rule in group['rules']}
        self.assertEqual(set(alerts), {'KafkaRequestsFail', 'KafkaMessagesFail',
                                       'KafkaBrokersDown'})
        wait_for(lambda: query('kafka_workers offset 2s'), 30, 'it is known')
        for expression in alerts.values():
            self.assertEqual(query(expression), {})

        # the first one is seen

        self.broker.command('fail 0 TOPIC_AUTHORIZATION_FAILED')
        self.assertRefused(self.server.get('/produce/orders/no'), 403)
        wait_for(lambda: query(alerts['KafkaMessagesFail']) == {'': 1}, 30,
                 'a message that fails is seen')
        self.assertEqual(query(alerts['KafkaRequestsFail']), {})
        wait_for(lambda: not query(alerts['KafkaMessagesFail']), 30, 'it ends')

        self.broker.command('fail 0 OUT_OF_ORDER_SEQUENCE_NUMBER')
        self.assertRefused(self.server.get('/produce/orders/no'), 504)
        wait_for(lambda: query(alerts['KafkaRequestsFail']) == {'': 1}, 30,
                 'a request that fails is seen')

        self.broker.command('down -1')
        wait_for(lambda: query(alerts['KafkaBrokersDown']), 30, 'it is down')


class ServerTiming(RecipeTest):
    """t/e2e/browser.py has what a browser shows."""

    files = ('server-timing.conf',)

    def setUp(self):
        super().setUp()
        self.server = self.start(self.recipe())

    def test_times(self):
        self.broker.command('rtt -1 30')
        answer = self.server.get('/produce/orders/m')
        self.assertProduced(answer, 'orders')

        parse, ack = re.fullmatch(r'parse;dur=(\d+), kafka;dur=(\d+)',
                                  answer.headers['Server-Timing']).groups()
        self.assertLess(int(parse), 1000)
        self.assertGreaterEqual(int(ack), 29)
        self.assertEqual(self.values('orders'), ['m'])

    def test_refusal(self):
        answer = self.server.post('/produce/orders', {'value': 1})
        self.assertRefused(answer, 400)
        self.assertNotIn('Server-Timing', answer.headers)

        self.broker.command('fail 0 TOPIC_AUTHORIZATION_FAILED')
        answer = self.server.get('/produce/orders/m')
        self.assertRefused(answer, 403)
        self.assertIn('kafka;dur=', answer.headers['Server-Timing'])


class Documentation(unittest.TestCase):
    def test_every_file_is_tried(self):
        tried = [name for test in RecipeTest.__subclasses__()
                 for name in test.files]
        self.assertEqual(set(tried), recipetest.files())
        self.assertEqual(len(tried), len(set(tried)))

    def test_every_file_is_explained(self):
        text = recipetest.documented('README.md')
        links = set(re.findall(r'\]\(([^)#:]+)\)', text))
        self.assertLessEqual(recipetest.files(), links)

        for link in links:
            self.assertTrue(os.path.exists(
                os.path.join(recipetest.RECIPES, link)), link)


if __name__ == '__main__':
    kafkatest.unittest.main()
