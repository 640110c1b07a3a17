#!/usr/bin/python3
"""A request that names many topics: each is work that others wait for, so there
is a limit, and a message more to the same topic is no such work.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from lookup import LOOKED_UP, debug_log


MOST = 64                       # NGX_HTTP_KAFKA_BATCH_TOPICS
REFUSAL = (f'a request may name at most {MOST} topics, '
           'divide its messages among several requests')


class Topics(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.topics = [f't{i}' for i in range(MOST + 1)]
        for topic in self.topics:
            self.broker.command(f'topic {topic} 1')
        self.server = self.nginx(kafkatest.producer(self.broker.bootstrap),
                                 'client_max_body_size 10m;' + kafkatest.SERVER,
                                 main='error_log debug.log debug;')

    def messages(self, topics):
        return [{'topic': topic, 'value': str(i)}
                for i, topic in enumerate(topics)]

    def post(self, topics):
        return self.server.post('/produce', self.messages(topics))

    def values(self, topic):
        return [record.value.decode() for record in
                kafkatest.read_topic(self.broker.bootstrap, topic)]

    def refused(self, answer, index):
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(answer.json, {
            'error': f'message {index}: {REFUSAL}', 'status': 400})
        self.assertEqual({topic: values for topic in self.topics
                          if (values := self.values(topic))}, {})

    def test_as_many_as_allowed(self):
        topics = self.topics[:MOST]
        answer = self.post(topics)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['topic'] for m in answer.json], topics)
        self.assertEqual([self.values(topic) for topic in topics],
                         [[str(i)] for i in range(MOST)])

    def test_one_more(self):
        self.refused(self.post(self.topics), MOST)

    def test_one_more_after_many_messages(self):
        topics = 3 * self.topics[:MOST]
        self.refused(self.post(topics + self.topics[MOST:] + topics),
                     len(topics))

    def test_refused_before_the_end(self):
        """The rest of the body need not come."""

        body = json.dumps(self.messages(self.topics))[:-1].encode()
        answer = self.server.raw([
            b'POST /produce HTTP/1.1\r\nHost: x\r\n'
            b'Transfer-Encoding: chunked\r\n\r\n'
            + f'{len(body):x}\r\n'.encode() + body + b'\r\n'])
        self.refused(answer, MOST)

    def test_a_name_that_is_none(self):
        """It is what the answer is about, though there are too many."""

        answer = self.post(self.topics[:MOST] + ['..'])
        self.assertEqual(answer.status, 400, answer)
        self.assertIn(f'message {MOST}: field "topic" must be a topic\'s name',
                      answer.json['error'])

    def test_alternation(self):
        """Each of two topics is looked up once, and nothing is lost."""

        pair = self.topics[:2]
        answer = self.post(5000 * pair)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([(m['topic'], m['offset']) for m in answer.json],
                         [(t, i) for i in range(5000) for t in pair])
        self.assertEqual([self.values(topic) for topic in pair],
                         [[str(i) for i in range(first, 10000, 2)]
                          for first in (0, 1)])
        self.assertEqual([name for name, _ in LOOKED_UP.findall(
                              debug_log(self, self.server))], pair)

    def test_all_in_turn(self):
        """Those that were named long ago are found again."""

        topics = self.topics[:MOST]
        answer = self.post(10 * topics + 10 * topics[::-1])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([self.values(topic) for topic in topics], [
            [str(r * MOST + i) for r in range(10)]
            + [str(r * MOST + MOST - 1 - i) for r in range(10, 20)]
            for i in range(MOST)])

    def test_the_partition_that_is_missing(self):
        """It is named, wherever its topic was named before."""

        messages = self.messages(3 * self.topics[:2])
        messages[2]['partition'] = 0
        messages[4]['partition'] = 7
        answer = self.server.post('/produce', messages)
        self.assertEqual(answer.status, 400, answer)
        self.assertIn('message 4: topic "t0" has no partition 7',
                      answer.json['error'])
        self.assertEqual(self.values('t0'), [])


if __name__ == '__main__':
    kafkatest.unittest.main()
