#!/usr/bin/python3
"""Another file of the module while nginx runs: which of the two runs, after a
reload and after an upgrade by USR2 and QUIT, and does a request get lost?
"""

import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest


TEXTS = [b'no such route', b'NO SUCH ROUTE']

# of the shared memory's name, and so of its layout
LAYOUTS = [b'kafka_status_1_', b'kafka_status_0_']


def documented():
    """The commands of docs/operations.md for an upgrade: USR2, QUIT."""

    with open(os.path.join(kafkatest.ROOT, 'docs/operations.md'),
              encoding='utf-8') as f:
        return re.findall(r'^kill -(?:USR2|QUIT) .*$', f.read(), re.M)


class UpgradeTest(kafkatest.TestCase):
    """An nginx with one file of the module, and a way to make another."""

    kind = kafkatest.Nginx

    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic upgrade 1')
        self.server = self.kind(
            kafkatest.producer(self.broker.bootstrap),
            'location /produce { kafka_produce main; }'
            'location = /status { kafka_status; }')
        self.load(kafkatest.MODULES, self.module('old.so', 0))
        self.begin()
        self.assertRuns(0)

    def begin(self):
        self.start(self.server)

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


class Reload(UpgradeTest):
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


class Binary(UpgradeTest):
    """USR2, then QUIT to the old master, as the documentation says."""

    kind = kafkatest.Daemon

    def setUp(self):
        commands = documented()
        self.assertEqual(len(commands), 2)
        self.commands = iter(commands)
        super().setUp()

    def run_next(self):
        """A command of the documentation, for this nginx."""

        command = next(self.commands)
        self.assertIn('/run/nginx.pid', command)
        subprocess.run(['sh', '-c', command.replace(
            '/run/nginx.pid', f'{self.server.dir}/nginx.pid')], check=True)

    def test_no_request_is_lost(self):
        """The new master runs the new file; each request is answered 200."""

        old = self.server.process
        self.module('old.so', 1)

        load = kafkatest.Load(self.server, 'upgrade')
        try:
            load.wait_for_more(100)
            self.run_next()
            self.server.process = kafkatest.Adopted(kafkatest.wait_for(
                lambda: os.path.exists(f'{self.server.dir}/nginx.pid.oldbin')
                and (pid := self.server.pid()) != old.pid and pid,
                what='the new master writes its pid'))
            load.wait_for_more(100)
            self.run_next()
            self.assertEqual(old.wait(30), 0)
            load.wait_for_more(100)
        finally:
            load.stop()

        self.assertEqual(set(load.answers), {200}, load.answers)
        self.assertRuns(1)

        values = [r.value for r in kafkatest.read_topic(
            self.broker.bootstrap, 'upgrade')]
        self.assertEqual(len(values), len(set(values)) + 1)     # "a", twice
        self.assertLessEqual({b'%d' % n for n in load.acknowledged},
                             set(values))

    def test_a_waiting_request_is_answered(self):
        """QUIT waits for the acknowledgement."""

        old = self.server.process
        self.broker.command('rtt -1 1500')

        with self.server.connect() as s:
            s.sendall(b'GET /produce/upgrade/w HTTP/1.1\r\nHost: a\r\n\r\n')
            self.server.wait_for_requests(1)
            self.run_next()
            self.server.process = kafkatest.Adopted(kafkatest.wait_for(
                lambda: os.path.exists(f'{self.server.dir}/nginx.pid.oldbin')
                and (pid := self.server.pid()) != old.pid and pid,
                what='the new master writes its pid'))
            self.run_next()
            self.assertEqual(kafkatest.read_response(s).status, 200)

        self.assertEqual(old.wait(30), 0)
        self.broker.command('rtt -1 0')
        self.assertRuns(0)


class RelativePath(kafkatest.Daemon):
    """Started as "nginx", which the shell finds in PATH."""

    def command(self):
        folder, name = os.path.split(kafkatest.NGINX)
        return ['env', f'PATH={folder}', name, *super().command()[1:]]


class Refused(UpgradeTest):
    """USR2 comes to nothing, and nginx logs an [alert] or a [crit]."""

    def begin(self):
        self.addCleanup(shutil.rmtree, self.server.dir)
        self.server.start()
        self.addCleanup(self.server.stop)


class NotByPath(Refused):
    kind = RelativePath

    def test_usr2_needs_a_full_path(self):
        """The old nginx stays, and goes on."""

        old = self.server.pid()
        self.server.kill(signal.SIGUSR2)
        kafkatest.wait_for(lambda: 'execve() failed' in self.server.log(),
                           what='USR2 fails')
        kafkatest.wait_for(lambda: self.server.pid() == old,
                           what='its pid file is back')
        self.assertRuns(0)


class Foreground(Refused):
    def test_usr2_is_ignored(self):
        """With "daemon off", while the process that started it lives."""

        self.server.kill(signal.SIGUSR2)
        kafkatest.wait_for(lambda: 'the changing binary signal is ignored'
                           in self.server.log(), what='USR2 is ignored')
        self.assertFalse(os.path.exists(f'{self.server.dir}/nginx.pid.oldbin'))
        self.assertRuns(0)


if __name__ == '__main__':
    kafkatest.unittest.main()
