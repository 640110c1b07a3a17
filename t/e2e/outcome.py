#!/usr/bin/python3
"""Answers that must be true where librdkafka says more than brokers did, or
something else: 200, "no" and the reason.
"""

import collections
import concurrent.futures
import json
import os
import sys
import time

import confluent_kafka.admin

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for
from life import Waiting


LOCATIONS = '''
        location /produce { kafka_produce main; }
        location /status { kafka_status; }
        location /health { kafka_health main; }'''


def result(answer):
    """What an answer says of its only message."""

    found = answer.json
    found = found['results'] if isinstance(found, dict) else found
    return found[0]


class MockCase(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()

    def serve(self, *properties):
        return self.nginx(
            kafkatest.producer(self.broker.bootstrap, *properties), LOCATIONS)

    def check_true(self, topic, answers):
        """200: where it says; "no": absent."""

        records = [(r.partition, r.offset, r.value.decode()) for r in
                   kafkatest.read_topic(self.broker.bootstrap, topic)]
        values = [r[2] for r in records]

        for value, answer in answers.items():
            said = result(answer)
            if answer.status == 200:
                self.assertIn((said['partition'], said['offset'], value),
                              records, answer)
            elif said['persisted'] == 'no':
                self.assertNotIn(value, values, answer)


class Inferred(MockCase):
    """A request to a partition is refused, the next one, which is on its way
    already, is not: librdkafka reports both as delivered."""

    ERRORS = ('NOT_ENOUGH_REPLICAS', 'NOT_LEADER_FOR_PARTITION',
              'REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND')

    def test_a_group_in_two_requests(self):
        server = self.serve('retry.backoff.ms 300', 'batch.num.messages 1')

        for i, error in enumerate(self.ERRORS):
            with self.subTest(error):
                topic = f't{i}'
                self.broker.command(f'topic {topic} 1')
                self.assertEqual(server.get(f'/produce/{topic}/warm').status,
                                 200)
                self.broker.command('rtt 1 100')
                self.broker.command(f'fail 0 {error} 1')
                answer = server.post(f'/produce/{topic}', [
                    {'value': 'first'}, {'value': 'second'}])
                self.broker.command('rtt 1 0')

                self.assertEqual(answer.status, 504, answer)
                first, second = answer.json['results']
                self.assertEqual(
                    (first['code'], first['persisted'], first['retriable']),
                    ('_NO_OFFSET', 'maybe', True))
                records = [(r.offset, r.value.decode()) for r in
                           kafkatest.read_topic(self.broker.bootstrap, topic)]
                self.assertIn((second['offset'], 'second'), records)

    def test_the_first_of_a_partition(self):
        """It goes alone, so that it is sent again before the next one."""

        server = self.serve('retry.backoff.ms 300')

        for i, error in enumerate(self.ERRORS):
            with self.subTest(error):
                topic = f't{i}'
                self.broker.command(f'topic {topic} 1')
                self.broker.command('rtt 1 100')
                self.broker.command(f'fail 0 {error} 1')

                waiting = {}
                for value in 'first', 'second':
                    waiting[value] = Waiting(server, f'/produce/{topic}',
                                             json.dumps({'value': value}))
                    server.wait_for_requests(len(waiting))
                answers = {value: w.answer() for value, w in waiting.items()}
                self.broker.command('rtt 1 0')
                self.assertEqual({a.status for a in answers.values()}, {200})
                self.check_true(topic, answers)


class Storm(MockCase):
    """Brokers end each client as it comes: it may not write idempotently."""

    def setUp(self):
        super().setUp()
        self.broker.command('topic t 1')
        self.broker.command('fail 22 CLUSTER_AUTHORIZATION_FAILED 100000')

    def test_callers_hear_the_reason(self):
        server = self.serve()
        start = time.monotonic()
        before = server.status()['clients_rebuilt']

        def call(_):
            answers = []
            while time.monotonic() < start + 4:
                answers.append(server.post('/produce/t', {'value': 'v'}))
            return answers

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = sum(pool.map(call, range(16)), [])

        made = server.status()['clients_rebuilt'] - before
        self.assertLess(made, time.monotonic() - start + 1.5)
        self.assertEqual(collections.Counter(
            (a.status, result(a)['code'], result(a)['retriable'],
             result(a)['persisted']) for a in answers),
            {(403, 'CLUSTER_AUTHORIZATION_FAILED', False, 'no'): len(answers)})

        # a line [error] for what is wrong, not one for each client

        errors = [line for line in server.log().splitlines()
                  if '[error]' in line]
        self.assertEqual(len(errors), 1, errors)
        self.assertIn('CLUSTER_AUTHORIZATION_FAILED', errors[0])

        health = server.get('/health')
        self.assertEqual(
            (health.status, health.json['status'], health.json.get('code')),
            (503, 'down', 'CLUSTER_AUTHORIZATION_FAILED'))
        self.assertIn('refuse', health.json['reason'])

        # a load balancer sends nothing before that is said

        self.broker.command('clear 22')
        wait_for(lambda: server.get('/health').status == 200, 10, 'healthy')
        self.assertEqual(server.get('/produce/t/m').status, 200)

    def test_a_client_that_has_served(self):
        """Its successor is made at once, and what was not sent goes there."""

        self.broker.command('clear 22')
        server = self.serve()
        for _ in range(3):
            self.assertEqual(server.get('/produce/t/m').status, 200)
            self.broker.command('fail 0 OUT_OF_ORDER_SEQUENCE_NUMBER 1')
            answer = server.post('/produce/t', {'value': 'fatal'})
            self.assertEqual(
                (answer.status, result(answer)['code'],
                 result(answer)['retriable'], result(answer)['persisted']),
                (504, 'OUT_OF_ORDER_SEQUENCE_NUMBER', True, 'maybe'))
            self.assertEqual(server.get('/produce/t/m').status, 200)

        self.assertEqual(server.status()['clients_rebuilt'], 3)


class Deposed(kafkatest.TestCase):
    """A leader is deposed while a replica copies a message, and says that it is
    not the leader; the next one hangs until the message times out."""

    def test_deposed_leader(self):
        kafka = kafkatest.Kafka(3)
        self.addCleanup(kafka.stop)
        admin = confluent_kafka.admin.AdminClient(
            {'bootstrap.servers': kafka.bootstrap, 'log_level': 2})

        # the next leader and the slow replica hang, and are no controllers

        first = self.controller(kafka)
        following, slow = [n for n in (1, 2, 3) if n != first]
        admin.create_topics([confluent_kafka.admin.NewTopic(
            't', 1, replica_assignment=[[following, first, slow]],
            config={'min.insync.replicas': '2'})])['t'].result(15)

        def leads(node):
            partition = admin.list_topics('t', 10).topics['t'].partitions[0]
            return partition.leader == node and len(partition.isrs) == 3

        kafka.util('stop', str(following))
        kafka.util('restart', str(following))
        wait_for(lambda: leads(first), 40, 'the second replica leads')

        server = self.nginx(kafkatest.producer(
            kafka.bootstrap.split(',')[first - 1], 'message.timeout.ms 3000',
            'retry.backoff.ms 1000'), LOCATIONS)
        self.assertEqual(server.get('/produce/t/before').status, 200)

        kafka.util('pause', str(slow))
        try:
            # within 4 s, after which a node that hangs is out of sync
            waiting = Waiting(server, '/produce/t', '{"value":"doubtful"}')
            wait_for(lambda: self.copied(kafka, following), 3,
                     'the next leader has the message')
            kafka.elect(first, 't', 0)
            kafka.util('pause', str(following))
            answer = waiting.answer()
        finally:
            for node in following, slow:
                kafka.util('resume', str(node))

        wait_for(lambda: leads(following), 40, 'all are in sync')
        found = [r.value.decode() for r in
                 kafkatest.read_topic(kafka.bootstrap, 't')]
        self.assertEqual(
            (answer.status, result(answer)['persisted'], found.count('doubtful')),
            (504, 'maybe', 1), answer)

    def copied(self, kafka, node):
        path = f'{kafka.dir}/node-{node}/data/t-0/00000000000000000000.log'
        with open(path, 'rb') as f:
            return b'doubtful' in f.read()

    def controller(self, kafka):
        def becoming(node):
            with open(f'{kafka.dir}/node-{node}/log', encoding='utf-8',
                      errors='replace') as f:
                return f.read().count('Becoming the active controller')

        return [n for n in (1, 2, 3) if becoming(n)][-1]


class Unreachable(kafkatest.TestCase):
    """Bootstrap works, and the addresses that brokers advertise do not."""

    @classmethod
    def setUpClass(cls):
        port = kafkatest.free_port()

        def advertise(kafka):
            base = int(kafka.env['KAFKA_PORT'])
            return ('advertised.listeners='
                    f'PLAINTEXT://127.0.0.1:{base},'
                    f'SASL_PLAINTEXT://127.0.0.1:{port},'
                    f'SSL://kafka-1.invalid:{base + 3}\n')

        cls.kafka = kafkatest.ConfiguredKafka(advertise)
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.topic('t')

    def check(self, listener, text, *properties):
        server = self.nginx(kafkatest.producer(
            self.kafka.addresses(listener), 'message.timeout.ms 1500',
            *properties))
        answer = server.post('/produce/t', {'value': 'v'})
        self.assertEqual(
            (answer.status, result(answer)['code'],
             result(answer)['persisted']), (503, '_MSG_TIMED_OUT', 'no'))
        self.assertIn(text, answer.json['error'])
        self.assertNotIn('invalid', answer.body.decode())

    def test_no_connection(self):
        self.check('sasl', '; a Kafka broker accepts no connection at the '
                   'address that it advertises',
                   'security.protocol sasl_plaintext', 'sasl.mechanisms PLAIN',
                   'sasl.username test', 'sasl.password test-secret')

    def test_no_name(self):
        self.check('ssl', '; the name that a Kafka broker advertises as its '
                   'address cannot be resolved', 'security.protocol ssl',
                   f'ssl.ca.location {self.kafka.dir}/tls/ca.pem')


if __name__ == '__main__':
    kafkatest.unittest.main()
