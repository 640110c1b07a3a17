#!/usr/bin/python3
"""What a newcomer meets: util/run.sh, and its page in a headless Chromium.

With DEMO_SCREENSHOT in the environment, the name of a file, it also makes the
picture that the README shows.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import chromium
import kafkatest
from kafkatest import wait_for

SCREENSHOT = os.environ.get('DEMO_SCREENSHOT')

# Fills in fields by their names, and sends.
SEND = '''
    const { elements } = document.forms[0];
    for (const [name, value] of Object.entries(arguments[0])) {
        elements[name].value = value;
    }
    document.forms[0].dispatchEvent(new Event("input"));
    document.querySelector("button").click();
'''

COUNTERS = '''
    return Object.fromEntries(
        [...document.querySelectorAll("#counters tr")].map(
            row => [...row.cells].map(cell => cell.textContent)));
'''

POLLS = '''
    return performance.getEntriesByType("resource").filter(
        entry => entry.name.endsWith("/status")).length;
'''


class Run:
    """util/run.sh with its mock cluster, started from another folder."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='run-')
        self.port = kafkatest.free_port()
        self.path = os.path.join(self.dir, 'output')

        with open(self.path, 'wb') as out:
            self.process = subprocess.Popen(
                [os.path.relpath(os.path.join(kafkatest.ROOT, 'util/run.sh'),
                                 self.dir), '--port', str(self.port)],
                cwd=self.dir, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

        try:
            # it may have to build
            wait_for(self.is_up, 120, 'run.sh starts')
        except BaseException:
            self.stop()
            raise

        self.url = re.search(r'browser: (\S+)', self.output())[1]

    def output(self):
        with open(self.path, encoding='utf-8') as f:
            return f.read()

    def is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f'run.sh ended:\n{self.output()}')
        return 'Ctrl-C ends it.' in self.output()

    def stop(self):
        """Its exit status, and what it wrote."""

        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

        try:
            return self.process.wait(20), self.output()
        finally:
            shutil.rmtree(self.dir)


class Demo(kafkatest.TestCase):
    def setUp(self):
        self.run_sh = Run()
        self.addCleanup(self.end)
        self.browser = chromium.Chromium()
        self.addCleanup(self.browser.stop)
        self.cdp('Emulation.setDeviceMetricsOverride', width=1000, height=700,
                 deviceScaleFactor=1, mobile=False)
        self.browser.open(self.run_sh.url)
        self.wait_for_counter('Messages acknowledged', '0')

    def end(self):
        status, output = self.run_sh.stop()
        self.assertEqual(status, 0, output)
        self.assertNotRegex(output, kafkatest.BAD_LINE)

    def cdp(self, command, **params):
        return self.browser.command(
            'POST', f'{self.browser.session}/goog/cdp/execute',
            {'cmd': command, 'params': params})

    def text(self, name):
        return self.browser.run(
            'return document.getElementById(arguments[0]).textContent', name)

    def send(self, **fields):
        """The status and the answer that the page shows."""

        self.browser.run(SEND, fields)
        wait_for(lambda: self.text('status'), what='an answer')
        return self.text('status').partition(' ')[0], self.text('answer')

    def counters(self):
        return self.browser.run(COUNTERS)

    def wait_for_counter(self, name, value):
        wait_for(lambda: self.counters().get(name) == value,
                 what=f'{name}: {value}')

    def records(self, topic):
        """What the mock cluster inside nginx has."""

        answer = self.curl('-s', f'{self.run_sh.url}status')
        broker, = answer['producers']['main']['brokers']
        return kafkatest.read_topic(broker['broker'], topic)

    def curl(self, *args):
        done = subprocess.run(['curl', *args], stdout=subprocess.PIPE,
                              check=True)
        return json.loads(done.stdout)

    def test_messages(self):
        status, answer = self.send(topic='cities', key='city', value='Ankara')
        self.assertEqual(status, '200')
        answer, = json.loads(answer)
        self.assertEqual((answer['topic'], answer['offset']), ('cities', 0))
        self.assertIn(answer['partition'], range(4))

        self.wait_for_counter('Messages acknowledged', '1')
        self.wait_for_counter('Requests, 200', '1')

        status, answer = self.send(value="it's <b id=b>é</b>\n2", count=3)
        self.assertEqual(status, '200')
        self.assertEqual([m['offset'] for m in json.loads(answer)], [1, 2, 3])
        self.wait_for_counter('Messages acknowledged', '4')
        self.wait_for_counter('Requests, 200', '2')
        self.wait_for_counter('Messages waiting', '0')

        counters = self.counters()
        self.assertEqual(counters['Messages failed'], 'none')
        self.assertRegex(counters['Latency, 99th percentile'],
                         r'^under [\d.]+ ms$')
        self.assertRegex(counters['Latency, average'],
                         r'^[\d.]+ ms$')

        # the curl line does the same; nothing of the value became an element

        line = self.text('curl')
        self.assertIn('<b id=b>', line)
        self.assertFalse(self.browser.run(
            'return document.querySelector("b") !== null'))
        line = line.replace('curl ', 'curl -s ', 1)
        done = subprocess.run(['bash', '-c', line], stdout=subprocess.PIPE,
                              check=True)
        self.assertEqual([m['offset'] for m in json.loads(done.stdout)],
                         [4, 5, 6])
        self.wait_for_counter('Messages acknowledged', '7')

        self.assertEqual(
            [(r.key, r.value.decode()) for r in self.records('cities')],
            [(b'city', 'Ankara')] + [(b'city', "it's <b id=b>é</b>\n2")] * 6)

        # what the browser's own first page says aside

        self.assertEqual([line for line in self.browser.console()
                          if not line.startswith('chrome://')], [])

    def test_errors(self):
        status, answer = self.send(topic='no such name')
        self.assertEqual(status, '400')
        self.assertEqual(json.loads(answer), {
            'error': 'message 0: field "topic" must be a topic\'s name: 1 to '
                     '249 of A-Z a-z 0-9 . _ -, not "." or ".."',
            'status': 400})
        self.wait_for_counter('Requests, 400', '1')

        # no dialog of the browser's comes between

        status, answer = self.send(topic='greetings', password='wrong')
        self.assertEqual(status, '401')
        self.assertEqual(json.loads(answer), {
            'error': 'credentials are missing or wrong', 'status': 401})
        self.wait_for_counter('Requests, 401', '1')

    def test_nginx_is_gone(self):
        self.assertEqual(self.send()[0], '200')
        self.run_sh.process.send_signal(signal.SIGINT)
        self.run_sh.process.wait(20)
        wait_for(lambda: self.text('trouble').startswith('No counters: '),
                 what='the page misses nginx')
        status, answer = self.send()
        self.assertEqual(status, 'none')
        self.assertRegex(answer, '^nginx does not answer: ')

    def test_a_hidden_page_does_not_ask(self):
        wait_for(lambda: self.browser.run(POLLS) >= 2, what='the page asks')

        self.window('minimize')
        self.assertTrue(self.browser.run('return document.hidden'))
        before, after = self.browser.run(f'''
            const polls = () => {{ {POLLS} }};
            const before = polls();
            await new Promise(resolve => setTimeout(resolve, 4000));
            return [before, polls()];''')
        self.assertLessEqual(after, before + 1)     # one was on its way

        self.window('maximize')
        wait_for(lambda: self.browser.run(POLLS) >= after + 2,
                 what='the page asks again')

    def window(self, state):
        self.browser.command('POST',
                             f'{self.browser.session}/window/{state}', {})

    def test_looks(self):
        unlabelled = self.browser.run('''
            return [...document.forms[0].elements].filter(
                e => e.type !== "submit" && !e.labels.length).length''')
        self.assertEqual(unlabelled, 0)

        self.send(topic='cities', key='city', value='Istanbul', count=2)
        self.wait_for_counter('Messages acknowledged', '2')
        self.send(topic='no such city')
        self.wait_for_counter('Requests, 400', '1')
        self.send(topic='cities')
        self.wait_for_counter('Messages acknowledged', '4')

        seen = set()
        for scheme in ('dark', 'light'):
            self.cdp('Emulation.setEmulatedMedia', features=[
                {'name': 'prefers-color-scheme', 'value': scheme}])
            for width in (360, 1000):
                self.cdp('Emulation.setDeviceMetricsOverride', width=width,
                         height=700, deviceScaleFactor=1, mobile=False)
                self.assertTrue(self.browser.run(
                    'const page = document.documentElement;'
                    'return page.scrollWidth <= page.clientWidth;'), width)
            seen.add(self.browser.run('return getComputedStyle('
                                      'document.querySelector("h1")).color'))
        self.assertEqual(len(seen), 2)

        if SCREENSHOT:
            self.cdp('Emulation.setScrollbarsHidden', hidden=True)
            self.cdp('Emulation.setDeviceMetricsOverride', width=960,
                     height=670, deviceScaleFactor=1, mobile=False)
            with open(SCREENSHOT, 'wb') as f:
                f.write(self.browser.screenshot())


if __name__ == '__main__':
    kafkatest.unittest.main()
