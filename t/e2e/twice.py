#!/usr/bin/python3
"""A message fails for good while another one, which Kafka has, is answered with
an error after which it is sent again: it is not there twice.

librdkafka gives all that is on its way new sequence numbers after such a
failure, and a broker cannot tell then what it has already.
"""

import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
import outcomes
from life import Waiting
from proxy import Answers


# what a leader that is deposed, is short of replicas or hears nothing of them
# may answer once it has the message; and a connection that fails

ERRORS = {
    'NOT_LEADER_FOR_PARTITION': 6,
    'REQUEST_TIMED_OUT': 7,
    'NETWORK_EXCEPTION': 13,
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND': 20,
}

BACKOFF = 100                   # milliseconds


class Twice(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.ConfiguredKafka(cls.prepare)
        cls.addClassCleanup(cls.kafka.stop)

    @classmethod
    def prepare(cls, kafka):
        """Its clients come through the proxy."""

        port = int(kafka.env['KAFKA_PORT'])
        cls.proxy = Answers(port)
        cls.addClassCleanup(cls.proxy.stop)

        return f'''
advertised.listeners=PLAINTEXT://127.0.0.1:{cls.proxy.port},\
SASL_PLAINTEXT://127.0.0.1:{port + 2},SSL://127.0.0.1:{port + 3},\
SASL_SSL://127.0.0.1:{port + 4}
'''

    def serve(self):
        self.server = self.nginx(kafkatest.producer(
            self.kafka.bootstrap, f'retry.backoff.ms {BACKOFF}',
            'max.in.flight.requests.per.connection 5'))

    def topics(self, name):
        """One with keys only, and another one; the client has used both."""

        self.kafka.topic(f'{name}-keys', cleanup_policy='compact')
        self.kafka.topic(name)
        for target in f'{name}-keys/warm?key=k', f'{name}/warm':
            self.assertEqual(self.server.get(f'/produce/{target}').status, 200)

    def send(self, topic, error=None):
        """A message that Kafka has seen: its answer waits in the proxy."""

        hold = self.proxy.hold(topic, error)
        self.addCleanup(hold.let_go)
        waiting = Waiting(self.server, f'/produce/{topic}/m')
        self.assertTrue(hold.arrived.wait(10), f'an answer for {topic}')
        return hold, waiting

    def check(self, name, bad, good):
        answer = bad.answer()
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(answer.json['results'][0]['code'], 'INVALID_RECORD')

        answer = good.answer()
        self.assertEqual(self.server.get(f'/produce/{name}/last').status, 200)
        places = [(name, r.partition, r.offset) for r in
                  kafkatest.read_topic(self.kafka.bootstrap, name)
                  if r.value == b'm']
        outcome, = outcomes.judge(answer, [name])
        self.assertEqual(len(places), 1, answer)
        self.assertEqual([*outcomes.faults_of(outcome, places)], [], answer)

    def test_its_error_comes_after_the_failure(self):
        for error, number in ERRORS.items():
            with self.subTest(error=error):
                self.serve()
                name = f'after-{number}'
                self.topics(name)
                failure, bad = self.send(f'{name}-keys')
                retry, good = self.send(name, number)
                failure.let_go()
                retry.let_go()
                self.check(name, bad, good)

    def test_its_error_comes_before_the_failure(self):
        for error, number in ERRORS.items():
            with self.subTest(error=error):
                self.serve()
                name = f'before-{number}'
                self.topics(name)
                retry, good = self.send(name, number)
                failure, bad = self.send(f'{name}-keys')
                retry.let_go()
                failure.let_go()
                self.check(name, bad, good)

    def test_the_failure_comes_as_it_is_sent_again(self):
        """At about any moment of it: the backoff ends."""

        self.serve()
        for late in range(-20, 21, 2):
            with self.subTest(late=late):
                name = f'backoff-{late + 20}'
                self.topics(name)
                retry, good = self.send(name, ERRORS['REQUEST_TIMED_OUT'])
                failure, bad = self.send(f'{name}-keys')
                retry.let_go()
                time.sleep((BACKOFF + late) / 1000)
                failure.let_go()
                self.check(name, bad, good)


if __name__ == '__main__':
    unittest.main()
