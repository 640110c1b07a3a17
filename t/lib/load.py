"""A load for ThreadSanitizer: messages, look-ups and reloads at once.

util/sanitize.sh runs this test, and looks for reports of ThreadSanitizer.
"""

import os
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kafkatest  # noqa: E402

MESSAGES = 20000
UNKNOWN = 50    # the mock accepts at most 64


class Load(kafkatest.TestCase):
    def h2load(self, count, body, *urls):
        path = os.path.join(self.server.dir, f'urls-{count}')
        with open(path, 'w', encoding='ascii') as f:
            f.write('\n'.join(urls))

        done = subprocess.run(
            ['h2load', '--h1', '-c', '32', '-n', str(count), '-d', body,
             '-i', path], stdout=subprocess.PIPE, text=True, check=True)

        print(done.stdout)
        self.answers[count] = done.stdout

    def test_all_at_once(self):
        mock = self.mock()
        self.answers = {}

        def block(linger):
            return kafkatest.producer(mock.bootstrap, f'linger.ms {linger}')

        for i in range(UNKNOWN):
            mock.command(f'error unknown-{i} UNKNOWN_TOPIC_OR_PART')

        self.server = server = self.nginx(block(0), workers=2)
        address = f'http://127.0.0.1:{server.port}/produce'
        body = os.path.join(server.dir, 'body')
        with open(body, 'w', encoding='ascii') as f:
            f.write('[{"key": "k", "value": "v",'
                    ' "headers": [{"key": "h", "value": "w"}]},'
                    ' {"value": "v", "partition": 0}]')

        threads = [
            threading.Thread(target=self.h2load, args=args) for args in [
                (MESSAGES, body, f'{address}/a', f'{address}/b'),
                (UNKNOWN, body,
                 *(f'{address}/unknown-{i}' for i in range(UNKNOWN)))]]

        for thread in threads:
            thread.start()

        # each reload ends the producers of the old workers and starts new ones

        for linger in (1, 2, 3):
            server.write(block(linger), 'location /produce'
                         ' { kafka_produce main; }')
            server.reload()

        for thread in threads:
            thread.join()

        # do not check the number: h2load gives up connections that a reload
        # closes

        self.assertRegex(self.answers[MESSAGES],
                         'codes: [1-9][0-9]* 2xx, 0 3xx, 0 4xx, 0 5xx')
        self.assertRegex(self.answers[UNKNOWN],
                         'codes: 0 2xx, 0 3xx, [1-9][0-9]* 4xx, 0 5xx')


if __name__ == '__main__':
    unittest.main()
