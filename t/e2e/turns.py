#!/usr/bin/python3
"""More records, or reports, than the event loop takes in a turn; and those that
are not handed over yet as a process exits.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for
from life import Waiting


TURN = 2000     # NGX_HTTP_KAFKA_SUBMIT_TURN, NGX_HTTP_KAFKA_EVENTS_TURN


class Turns(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic t 1')
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o777)

    def serve(self, *properties):
        return self.nginx(
            kafkatest.producer(self.broker.bootstrap, *properties),
            'client_max_body_size 10m;' + kafkatest.SERVER)

    def serve_counted(self, *properties):
        """What each turn hands over and has reported is counted, from now on;
        "hold" in the folder delays clients, "hold-loop" the loop.
        """

        folder = f'-DFOLDER="{self.folder}"'
        with self.preload('newclient.c', folder), \
                self.preload('turns.c', folder):
            server = self.serve(*properties)
        self.assertEqual(self.post(server, ['warm']).status, 200)
        wait_for(lambda: (self.turns(), self.reports()) == ([1], [1]),
                 what='one is counted')
        return server

    def counts(self, column):
        """Of each turn that had any."""

        try:
            with open(f'{self.folder}/turns', encoding='ascii') as f:
                numbers = [int(line.split()[column]) for line in f]
        except FileNotFoundError:
            return []
        return [number for number in numbers if number]

    def turns(self):
        """The messages that were handed over."""

        return self.counts(0)

    def reports(self):
        return self.counts(1)

    @contextlib.contextmanager
    def file(self, name):
        """It is there until the end, or until it is removed."""

        path = f'{self.folder}/{name}'
        with open(path, 'w', encoding='ascii'):
            pass
        try:
            yield path
        finally:
            if os.path.exists(path):
                os.unlink(path)

    @contextlib.contextmanager
    def stopped(self):
        """The broker hangs."""

        os.kill(self.broker.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.broker.process.pid, signal.SIGCONT)

    def values(self):
        return [record.value.decode() for record in
                kafkatest.read_topic(self.broker.bootstrap, 't')]

    def post(self, server, values):
        return server.post('/produce/t', self.body(values))

    def body(self, values):
        return json.dumps([{'value': value} for value in values])

    def wait_for_all(self, server, count):
        """All of them are with librdkafka, while no report can come."""

        wait_for(lambda: server.status()['messages_pending'] == count,
                 what='all are handed over')
        self.assertEqual(server.status()['messages_unsent'], 0)

    @unittest.skipIf(kafkatest.SANITIZER, 'it wants to be loaded first')
    def test_several_turns(self):
        """All are acknowledged, in their order.  The next turn does not wait
        for a report."""

        server = self.serve_counted()
        values = [str(i) for i in range(2 * TURN + 500)]

        with self.stopped():
            waiting = Waiting(server, '/produce/t', self.body(values))
            self.wait_for_all(server, len(values))

        answer = waiting.answer()
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['offset'] for m in answer.json],
                         list(range(1, len(values) + 1)))
        self.assertEqual(self.values(), ['warm'] + values)
        self.assertEqual(self.turns(), [1, TURN, TURN, 500])

    @unittest.skipIf(kafkatest.SANITIZER, 'it wants to be loaded first')
    def test_several_turns_of_retries(self):
        """All are there, once, and in their order."""

        server = self.serve_counted()
        values = [str(i) for i in range(TURN + 500)]

        # until the client that tries them can be made, all are refused

        with self.file('hold'):
            self.broker.command('fail 0 INVALID_RECORD 100000')
            waiting = Waiting(server, '/produce/t', self.body(values))
            wait_for(lambda: 'is replaced' in server.log()
                     and server.status()['messages_pending'] == 0,
                     what='all wait for the other client')
            self.broker.command('clear 0')

        answer = waiting.answer()
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.values(), ['warm'] + values)
        self.assertGreater(sum(self.turns()[1:]), len(values))
        self.assertLessEqual(max(self.turns()), TURN)

    @unittest.skipIf(kafkatest.SANITIZER, 'it wants to be loaded first')
    def test_several_turns_of_reports(self):
        """librdkafka says only once that there are some: the next turn goes on
        by itself."""

        most = 100              # what librdkafka reports together
        server = self.serve_counted(f'batch.num.messages {most}')
        values = [str(i) for i in range(2 * TURN + 500)]

        with self.stopped():
            waiting = Waiting(server, '/produce/t', self.body(values))
            self.wait_for_all(server, len(values))
            with self.file('hold-loop'):
                wait_for(lambda: os.path.exists(f'{self.folder}/held-loop'),
                         what='the loop is held')
                os.kill(self.broker.process.pid, signal.SIGCONT)
                wait_for(lambda: self.values() == ['warm'] + values,
                         what='the broker has all of them')

        answer = waiting.answer()
        self.assertEqual(answer.status, 200, answer)
        wait_for(lambda: sum(self.reports()) == 1 + len(values),
                 what='all reports are counted')
        self.assertLess(max(self.reports()), TURN + most)

    def test_exit_with_unsent_batches(self):
        """librdkafka has no room for all: the rest is handed over at exit."""

        server = self.serve('queue.buffering.max.messages 2')
        self.assertEqual(self.post(server, ['warm']).status, 200)
        values = [str(i) for i in range(6)]
        self.broker.command('rtt -1 100')
        waiting = Waiting(server, '/produce/t', self.body(values))
        wait_for(lambda: server.status()['messages_unsent'] > 0,
                 what='some are unsent')
        server.kill(signal.SIGTERM)
        self.assertEqual(server.wait(20), 0)
        self.broker.command('rtt -1 0')
        self.assertEqual(self.values(), ['warm'] + values)
        try:
            self.assertEqual(waiting.answer().status, 200)
        except OSError:
            pass                # closed by the exit, before its answer


if __name__ == '__main__':
    kafkatest.unittest.main()
