#!/usr/bin/python3
"""More records than the event loop takes in a turn; and those that are not
handed over yet as a process exits.
"""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for
from life import Waiting


LOCATIONS = '''
        client_max_body_size 10m;
        location /produce { kafka_produce main; }
        location /status { kafka_status; }'''

TURN = 2000                     # NGX_HTTP_KAFKA_SUBMIT_TURN


class Turns(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic t 1')

    def serve(self, *properties):
        return self.nginx(
            kafkatest.producer(self.broker.bootstrap, *properties), LOCATIONS)

    def values(self):
        return [record.value.decode() for record in
                kafkatest.read_topic(self.broker.bootstrap, 't')]

    def post(self, server, values):
        return server.post('/produce/t', [{'value': value}
                                          for value in values])

    def test_several_turns(self):
        """All are acknowledged, in their order."""

        server = self.serve()
        values = [str(i) for i in range(2 * TURN + 500)]
        answer = self.post(server, values)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['offset'] for m in answer.json],
                         list(range(len(values))))
        self.assertEqual(self.values(), values)

    def test_several_turns_of_retries(self):
        """Each record is tried alone, and all are there, once."""

        server = self.serve()
        self.assertEqual(self.post(server, ['warm']).status, 200)
        values = [str(i) for i in range(TURN + 500)]
        self.broker.command('fail 0 INVALID_RECORD 1')
        answer = self.post(server, values)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(sorted(self.values()), sorted(values + ['warm']))

    def test_exit_with_unsent_batches(self):
        """librdkafka has no room for all: the rest is handed over at exit."""

        server = self.serve('queue.buffering.max.messages 2')
        self.assertEqual(self.post(server, ['warm']).status, 200)
        values = [str(i) for i in range(6)]
        self.broker.command('rtt -1 100')
        waiting = Waiting(server, '/produce/t', '[' + ','.join(
            f'{{"value":"{value}"}}' for value in values) + ']')
        wait_for(lambda: server.get('/status').json['producers']['main'][
                     'messages_unsent'] > 0, what='some are unsent')
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
