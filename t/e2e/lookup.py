#!/usr/bin/python3
"""Topics are looked up: answers that may be others soon, and many names."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from life import Waiting


NAMES = 16                      # NGX_HTTP_KAFKA_RESOLVE_NAMES
LOOKED_UP = re.compile(r'topic "(\S+)" was looked up: (-?\d+)')
AGAIN = '-2'


def debug_log(test, server):
    """Of a server with `error_log debug.log debug`."""

    with open(os.path.join(server.dir, 'debug.log'), encoding='latin-1') as f:
        text = f.read()
    if '[debug]' not in text:
        test.skipTest('nginx has no debug log')
    return text


class Lookup(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()

    def serve(self):
        return self.nginx(kafkatest.producer(self.broker.bootstrap),
                          main='error_log debug.log debug;')

    def values(self, topic):
        return [record.value.decode() for record in
                kafkatest.read_topic(self.broker.bootstrap, topic)]

    def test_no_leader_yet(self):
        """It is asked again until there is one, and nobody is refused."""

        self.broker.command('topic t 1')
        self.broker.command('error t LEADER_NOT_AVAILABLE')
        server = self.serve()
        waiting = Waiting(server, '/produce/t/m')
        server.wait_for_requests(1)
        self.assertEqual(server.get('/produce/other/m').status, 200)
        self.assertFalse(waiting.future.done())

        self.broker.command('error t NO_ERROR')
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(self.values('t'), ['m'])

    def test_many_names(self):
        """One request has some of them looked up at a time."""

        topics = [f't{i}' for i in range(3 * NAMES + 1)]
        for topic in topics:
            self.broker.command(f'topic {topic} 1')
        server = self.serve()
        answer = server.post('/produce', [{'topic': topic, 'value': topic}
                                          for topic in topics])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['topic'] for m in answer.json], topics)
        for topic in topics[0], topics[NAMES], topics[-1]:
            self.assertEqual(self.values(topic), [topic])

        log = debug_log(self, server)
        self.assertIn(f': {NAMES} topics are looked up', log)
        self.assertEqual([name for name, rc in LOOKED_UP.findall(log)], topics)

    def test_the_last_of_many_is_absent(self):
        topics = [f't{i}' for i in range(2 * NAMES)]
        for topic in topics:
            self.broker.command(f'topic {topic} 1')
        self.broker.command('error absent UNKNOWN_TOPIC_OR_PART')
        server = self.serve()
        answer = server.post('/produce', [{'topic': topic, 'value': 'v'}
                                          for topic in topics + ['absent']])
        self.assertEqual(answer.status, 404, answer)
        self.assertIn(f'message {len(topics)}: topic "absent"',
                      answer.json['error'])
        self.assertEqual(self.values(topics[0]), [])


if __name__ == '__main__':
    kafkatest.unittest.main()
