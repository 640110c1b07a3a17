#!/usr/bin/python3
"""What a real browser does with the recipes for browsers: a headless Chromium,
pages of other origins, and a real Kafka behind it all.
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import chromium
import kafkatest
import recipetest
from kafkatest import wait_for

APP = 'https://app.example.com'
OTHER = 'https://other.example.net'
SERVER = 'https://kafka.example.com'

HOSTS = [url.partition('://')[2] for url in (APP, OTHER, SERVER)]

# What a page sees of an answer.
ASK = '''
    const response = await fetch(...arguments);
    return {
        status: response.status,
        type: response.headers.get("Content-Type"),
        retry: response.headers.get("Retry-After"),
        hidden: response.headers.get("Server"),
        body: await response.json(),
    };
'''

# Posts a form: its address, type, the name and the value of its one field, and
# the page's policy.
FORM = '''
    const [action, enctype, name, value, policy] = arguments;
    const meta = document.createElement("meta");
    meta.name = "referrer";
    meta.content = policy ?? "origin";
    document.head.append(meta);

    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action, enctype });
    form.append(Object.assign(document.createElement("input"),
                              { type: "hidden", name, value }));
    document.body.append(form);
    form.submit();
'''


def script(heading):
    """The one that the documentation has below a heading."""

    text = recipetest.documented('README.md')
    section = re.search(rf'^## {heading}\n(.*?)(?=^## |\Z)', text,
                        re.MULTILINE | re.DOTALL)[1]
    return re.search(r'^```js\n(.*?)^```', section,
                     re.MULTILINE | re.DOTALL)[1]


PAGES = {
    '/': '<!DOCTYPE html><title>A page</title>',
    '/leaving': f'<!DOCTYPE html><title>Leaving</title>'
                f'<script>{script("sendBeacon")}</script>',
}


class Browser(kafkatest.TestCase):
    """One Kafka for all, an nginx and a browser, which remembers things, for
    each test.
    """

    @classmethod
    def setUpClass(cls):
        cls.ca = recipetest.Authority()
        cls.addClassCleanup(cls.ca.stop)
        cls.pair = cls.ca.serve(*HOSTS)

        cls.pages = chromium.Pages(PAGES, *cls.pair)
        cls.addClassCleanup(cls.pages.stop)

        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)

    def recipe(self, name, topic):
        self.topic = topic

        server = recipetest.Recipe(name, self.kafka.bootstrap)
        server.put('tls/server.pem', self.ca.text('server.pem'))
        server.put('tls/server.key', self.ca.text('server.key'), 0o600)
        server.put('kafka.users', recipetest.hashed('myuser', 'mypass'))

        self.server = self.start(server)

        ports = self.pages.port, self.pages.port, server.port
        self.browser = chromium.Chromium(dict(zip(HOSTS, ports)),
                                         self.pair[:1])
        self.addCleanup(self.browser.stop)

    def values(self):
        return [r.value.decode() for r in
                kafkatest.read_topic(self.kafka.bootstrap, self.topic)]

    def requests(self, method='', path=''):
        """What reached nginx, as the access log has it."""

        return re.findall(rf'"({method}\S* {path}\S*) HTTP/\S+" (\d+)',
                          self.server.access_log())


class Fetch(Browser):
    def setUp(self):
        self.recipe('cors.conf', self.kafka.topic(self._testMethodName))
        self.browser.open(APP + '/')

    def produce(self, messages, password='mypass', topic=None):
        """By the documentation's function."""

        return self.browser.run(
            script('CORS') + '''
            try {
                return { ok: await produce(...arguments) };
            } catch (e) {
                return { error: e.message };
            }''', topic or self.topic, messages, 'myuser', password)

    def ask(self, body, origin=APP, **init):
        """What a page of an origin sees."""

        return self.browser.run(ASK, f'{SERVER}/produce/{self.topic}',
                                {'method': 'POST', 'body': body, **init})

    def password(self, password='mypass'):
        return recipetest.basic('myuser', password)

    def test_messages(self):
        messages = [{'value': 'hello', 'key': 'k'},
                    {'value': 'é€😀\n', 'headers': [
                        {'key': 'from', 'value': 'a page'}]},
                    {'value': json.dumps({'an': ['object', 1]})}]
        answer = self.produce(messages)

        self.assertEqual([(m['topic'], m['partition'], m['offset'])
                          for m in answer['ok']],
                         [(self.topic, 0, 0), (self.topic, 0, 1),
                          (self.topic, 0, 2)])

        records = kafkatest.read_topic(self.kafka.bootstrap, self.topic)
        self.assertEqual([r.value.decode() for r in records],
                         [m['value'] for m in messages])
        self.assertEqual(records[0].key, b'k')
        self.assertEqual(records[1].headers, [('from', b'a page')])
        self.assertEqual([r.timestamp for r in records],
                         [m['timestamp'] for m in answer['ok']])

        # it asked first, without a password, and only once

        self.produce(messages)
        wait_for(lambda: len(self.requests()) == 3, what='three requests')
        path = f'/produce/{self.topic}'
        self.assertEqual(self.requests(), [
            (f'OPTIONS {path}', '204'), (f'POST {path}', '200'),
            (f'POST {path}', '200')])
        self.assertEqual(len(self.values()), 6)

    def test_errors_can_be_read(self):
        self.assertEqual(
            self.produce([{'value': 'a'}, {'value': 1}]),
            {'error': '400 message 1: field "value" must be a string'})
        self.assertEqual(
            self.produce([{'value': 'a'}], 'wrong'),
            {'error': '401 credentials are missing or wrong'})
        self.assertEqual(
            self.produce([{'value': 'a'}], topic='absent'),
            {'error': '404 message 0: topic "absent" does not exist'})

        answer = self.ask('{"value":1}', headers=self.password())
        self.assertEqual((answer['status'], answer['type'], answer['body']), (
            400, 'application/json',
            {'error': 'message 0: field "value" must be a string',
             'status': 400}))

        answer = self.ask('{"value":"a"}', headers=self.password('wrong'))
        self.assertEqual((answer['status'], answer['type'], answer['body']), (
            401, 'application/json',
            {'error': 'credentials are missing or wrong', 'status': 401}))

        self.assertIsNone(answer['hidden'])
        self.assertEqual(self.values(), [])

    def test_too_many(self):
        answers = self.browser.run('''
            const one = async () => {
                const r = await fetch(...arguments);
                return [r.status, (await r.json()).error];
            };
            const answers = [];
            for (let i = 0; i < 50; i++) {
                answers.push(...await Promise.all(
                    Array.from({ length: 6 }, one)));
                if (answers.some(a => a[0] !== 200)) {
                    break;
                }
            }
            return answers;
            ''', f'{SERVER}/produce/{self.topic}',
            {'method': 'POST', 'body': '{"value":"a"}',
             'headers': self.password()})

        good = [a for a in answers if a[0] == 200]
        bad = [a for a in answers if a[0] != 200]
        self.assertTrue(bad)
        self.assertEqual({tuple(a) for a in bad},
                         {(429, 'too many requests: slow down')})
        self.assertEqual(self.values(), ['a'] * len(good))

    def test_remembered_password(self):
        """credentials: "include": the browser adds what it was told once."""

        self.browser.run(FORM, f'https://myuser:mypass@{HOSTS[2]}/produce/x',
                         'text/plain', 'a', 'b')
        wait_for(lambda: self.requests('POST', '/produce/x')[-1:] ==
                 [('POST /produce/x', '400')], what='the form is posted')
        self.browser.open(APP + '/')

        answer = self.ask('{"value":"a"}', credentials='include')
        self.assertEqual(answer['status'], 200, answer)
        self.assertEqual(self.values(), ['a'])

        # a page from elsewhere can make the browser send it, with a form or a
        # link

        url = f'{SERVER}/produce/{self.topic}'
        self.leave_for(FORM, url, 'text/plain', '{"value":"b","x":"', '"}')
        self.leave_for(FORM, url, 'text/plain', '{"value":"c","x":"', '"}',
                       'no-referrer')
        self.leave_for('location.href = arguments[0];', url + '/d')

        path = f'/produce/{self.topic}'
        self.assertEqual(self.requests(path=path), [
            (f'POST {path}', '200'), (f'POST {path}', '403'),
            (f'POST {path}', '403'), (f'GET {path}/d', '403')])
        self.assertEqual(self.values(), ['a'])

    def leave_for(self, script, *args):
        """From another page to what nginx answers."""

        before = len(self.requests(path='/produce/'))
        self.browser.open(OTHER + '/')
        self.browser.run(script, *args)
        wait_for(lambda: len(self.requests(path='/produce/')) > before,
                 what='a request')

    def assertFails(self, body, **init):
        """The page learns nothing but that it failed."""

        answer = self.browser.run('''
            try {
                const r = await fetch(...arguments);
                return [r.type, r.status, await r.text()];
            } catch (e) {
                return e.name;
            }''', f'{SERVER}/produce/{self.topic}',
            {'method': 'POST', 'body': body, **init})
        self.assertIn(answer, ('TypeError', ['opaque', 0, '']))

    def test_another_origin(self):
        self.browser.open(OTHER + '/')
        self.browser.console()

        self.assertEqual(self.produce([{'value': 'a'}]),
                         {'error': 'Failed to fetch'})
        self.assertRegex(' '.join(self.browser.console()),
                         r'blocked by CORS policy')

        # without a question: served, were it not for its origin

        self.assertFails('{"value":"b"}')

        path = f'/produce/{self.topic}'
        wait_for(lambda: len(self.requests()) == 2, what='two requests')
        self.assertEqual(self.requests(), [
            (f'OPTIONS {path}', '403'), (f'POST {path}', '403')])
        self.assertEqual(self.values(), [])


class Timing(Browser):
    def test_times_are_shown(self):
        """Where its tools have them from, and a page may, too."""

        self.recipe('server-timing.conf', self.kafka.topic('timing'))
        url = f'{SERVER}/produce/timing'
        self.browser.open(url + '/first')

        answer = self.browser.run(ASK, url,
                                  {'method': 'POST', 'body': '{"value":"a"}'})
        self.assertEqual(answer['status'], 200, answer)

        timing = self.browser.run('''
            return performance.getEntriesByName(arguments[0])[0].serverTiming
                .map(({ name, duration }) => [name, duration]);''', url)
        self.assertEqual([name for name, _ in timing], ['parse', 'kafka'])
        for _, duration in timing:
            self.assertLess(duration, 10000)

        self.assertEqual(self.values(), ['first', 'a'])


class Beacon(Browser):
    """The recipe names the topic: there is one for all tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kafka.topic('page-views')

    def setUp(self):
        self.recipe('beacon.conf', 'page-views')

    def wait_for_beacon(self, status):
        wait_for(lambda: self.requests('POST'), 20, 'a beacon')
        self.assertEqual(self.requests(), [('POST /beacon', status)])

    def leave(self, page, status='200'):
        before = len(self.values())
        self.browser.open(page)
        self.assertEqual(self.requests(), [])
        self.browser.open(OTHER + '/')
        self.wait_for_beacon(status)
        return self.values()[before:]

    def test_page_is_left(self):
        value, = self.leave(APP + '/leaving')
        self.assertEqual(json.loads(value)['path'], '/leaving')

    def test_tab_is_closed(self):
        before = len(self.values())
        self.browser.open(APP + '/leaving')
        self.browser.close_tab()
        self.wait_for_beacon('200')
        self.assertEqual(len(self.values()), before + 1)

    def test_another_origin(self):
        self.assertEqual(self.leave(OTHER + '/leaving', '403'), [])


if __name__ == '__main__':
    kafkatest.unittest.main()
