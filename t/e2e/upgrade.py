#!/usr/bin/python3
"""Another file of the module while nginx runs: which of the two is it that
runs?
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest


TEXTS = [b'no such route', b'NO SUCH ROUTE']

# of the shared memory's name, and so of its layout
LAYOUTS = [b'kafka_status_1_', b'kafka_status_0_']


class Upgrade(kafkatest.TestCase):
    def setUp(self):
        broker = self.mock()
        broker.command('topic upgrade 1')
        self.server = kafkatest.Nginx(
            kafkatest.producer(broker.bootstrap),
            'location /produce { kafka_produce main; }'
            'location = /status { kafka_status; }')
        self.load(kafkatest.MODULES, self.module('old.so', 0))
        self.start(self.server)
        self.assertRuns(0)

    def module(self, name, version, layout=0):
        """Writes a module that can be told from the other by an error."""

        with open(kafkatest.MODULES, 'rb') as f:
            code = f.read()

        self.assertIn(TEXTS[0], code)
        self.assertIn(LAYOUTS[0], code)
        path = os.path.join(self.server.dir, name)

        with open(path + '.new', 'wb') as f:
            f.write(code.replace(TEXTS[0], TEXTS[version])
                    .replace(LAYOUTS[0], LAYOUTS[layout]))

        os.rename(path + '.new', path)
        return path

    def load(self, old, new):
        with open(self.server.conf, encoding='utf-8') as f:
            conf = f.read()

        self.assertIn(f'load_module {old};', conf)

        with open(self.server.conf, 'w', encoding='utf-8') as f:
            f.write(conf.replace(f'load_module {old};', f'load_module {new};'))

    def assertRuns(self, version):
        error = self.server.get('/produced').json['error']
        self.assertTrue(error.startswith(TEXTS[version].decode()), error)

        answer = self.server.get('/produce/upgrade/a')
        self.assertEqual(answer.status, 200, answer)

    def acknowledged(self):
        answer = self.server.get('/status')
        self.assertEqual(answer.status, 200, answer)
        return answer.json['producers']['main']['messages_acknowledged']

    def test_same_name(self):
        """nginx goes on with what it has loaded, until it is started anew."""

        self.module('old.so', 1)
        self.server.reload()
        self.assertRuns(0)

        self.assertEqual(self.server.stop(signal.SIGQUIT), 0)
        self.server.start()
        self.assertRuns(1)

    def test_other_name(self):
        """Its functions call each other, not those of the file before."""

        self.load(os.path.join(self.server.dir, 'old.so'),
                  self.module('new.so', 1))
        self.server.reload()
        self.assertRuns(1)
        self.assertEqual(self.acknowledged(), 2)

    def test_other_layout(self):
        """It has shared memory of its own, and counts from 0."""

        self.load(os.path.join(self.server.dir, 'old.so'),
                  self.module('new.so', 1, layout=1))
        self.server.reload()
        self.assertRuns(1)
        self.assertEqual(self.acknowledged(), 1)


if __name__ == '__main__':
    kafkatest.unittest.main()
