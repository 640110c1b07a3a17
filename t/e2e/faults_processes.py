#!/usr/bin/python3
"""nginx's processes are killed, shut down or reloaded while requests wait."""

import json
import os
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from faultcase import MockCase
from kafkatest import wait_for
from life import Waiting


class Processes(MockCase):
    def test_worker_killed(self):
        server = self.serve()
        self.warm(server)
        self.slow(2000)
        waiting = [Waiting(server, f'/produce/t/{i}') for i in range(5)]
        server.wait_for_requests(5)

        old, = server.worker_pids()
        os.kill(old, signal.SIGKILL)
        for w in waiting:
            with self.assertRaises(OSError):    # RemoteDisconnected is one
                w.answer()

        self.slow(0)
        wait_for(lambda: server.worker_pids() not in ([], [old]), 5,
                 'another worker')
        self.assertEqual(server.get('/produce/t/after').status, 200)
        values = self.values()
        self.assertIn('after', values)
        self.assertEqual(len(values), len(set(values)))
        self.truncate_log(server, f'worker process {old} exited on signal 9')

    def check_shutdown_timeout(self, number):
        server = self.serve(main='worker_shutdown_timeout 1s;')
        self.warm(server)
        self.slow(6000)
        sent = Waiting(server, '/produce/t', '{"value":"sent"}')
        wait_for(lambda: server.status()['messages_pending'] == 1,
                 what='it is on its way')
        behind = [Waiting(server, '/produce/t', json.dumps({'value': str(i)}))
                  for i in range(4)]
        server.wait_for_requests(5)

        start = time.monotonic()
        server.kill(number)
        self.assertRefused(sent.answer(), 504, 'maybe', '_MSG_TIMED_OUT')
        for w in behind:
            self.assertRefused(w.answer(), 503, 'no', '_DESTROY')
        self.assertLess(time.monotonic() - start, 3)
        self.slow(0)

        return server

    def test_shutdown_timeout_on_quit(self):
        server = self.check_shutdown_timeout(signal.SIGQUIT)
        self.assertEqual(server.wait(), 0)

    def test_shutdown_timeout_on_reload(self):
        server = self.check_shutdown_timeout(signal.SIGHUP)
        self.warm(server)

    def test_shutdown_timeout_while_topics_are_looked_up(self):
        """Nothing was sent, and the caller is told."""

        server = self.serve(main='worker_shutdown_timeout 1s;')
        self.broker.command('down -1')
        waiting = Waiting(server, '/produce/t/m')
        server.wait_for_requests(1)
        server.kill(signal.SIGQUIT)
        answer = waiting.answer()
        self.assertRefused(answer, 503)
        self.assertIn('shutting down', answer.json['error'])
        self.assertEqual(server.wait(), 0)

    @unittest.skipIf(os.geteuid() != 0, 'root alone reads what others cannot')
    def test_ca_folder_that_workers_cannot_read(self):
        """A worker whose client cannot be made answers, and tries again."""

        folder = self.other_ca()
        os.chmod(folder, 0o700)
        os.mkdir(f'{folder}/certs')
        server = self.serve('security.protocol ssl',
                            f'ssl.ca.location {folder}/certs',
                            'message.timeout.ms 1000',
                            user='www-data')
        pid = server.worker_pids()

        def tries():
            self.assertRefused(server.get('/produce/t/m'), 503)
            return server.log().count('could not be made')

        wait_for(lambda: tries() > 1, 5, 'it tries again')
        self.assertEqual(server.worker_pids(), pid)
        os.chmod(folder, 0o755)

        # by TLS to a mock without it

        wait_for(lambda: 'could not be started' not in
                 server.get('/produce/t/m').json['error'], 5, 'it is made')

    def test_cache_processes_have_no_producer(self):
        server = self.serve(
            http=f'\nproxy_cache_path {self.folder()} keys_zone=z:1m;')
        self.warm(server)

        # the last one is started after the worker, which may serve by then

        def titles():
            return {kafkatest.title(pid): pid
                    for pid in children(server.process.pid)}

        wait_for(lambda: set(titles()) == {'nginx: worker process',
                                           'nginx: cache manager process',
                                           'nginx: cache loader process'},
                 what='all processes are there')
        for title, pid in titles().items():
            found = threads(pid)
            self.assertEqual(any(name.startswith('rdk:') for name in found),
                             title == 'nginx: worker process', found)

    def test_reload_removes_a_producer(self):
        locations = (kafkatest.SERVER +
                     'location /other/produce { kafka_produce other; }')
        both = kafkatest.producer(self.broker.bootstrap)
        both += both.replace('main', 'other')
        server = self.nginx(both, locations)
        self.warm(server)
        self.assertEqual(server.get('/other/produce/t/a').status, 200)

        self.slow(500)
        waiting = [Waiting(server, f'/other/produce/t/{i}') for i in range(5)]
        server.wait_for_requests(5, 'other')
        server.write(kafkatest.producer(self.broker.bootstrap),
                     'location /produce { kafka_produce main; }')
        server.reload()
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)

        self.slow(0)
        self.warm(server)
        self.assertEqual(server.get('/other/produce/t/b').status, 404)
        self.assertEqual(sorted(self.values()), [*'01234', 'a'])


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
        return [int(child) for child in f.read().split()]


def threads(pid):
    names = []
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/comm', encoding='ascii') as f:
            names.append(f.read().strip())
    return names


if __name__ == '__main__':
    kafkatest.unittest.main()
