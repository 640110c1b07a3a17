#!/usr/bin/python3
"""Brokers that are slow, refuse, move or go away."""

import concurrent.futures
import json
import os
import sys
import time

import confluent_kafka

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from faultcase import MockCase
from kafkatest import wait_for
from life import Waiting


# What becomes of a message whose Produce request gets that error from the
# broker.  What is in none of these tables is a 500, which no retry helps.

PERMANENT = {
    'POLICY_VIOLATION': 400,
    'INVALID_TIMESTAMP': 400,
    'INVALID_RECORD': 400,
    'TOPIC_EXCEPTION': 400,
    'TOPIC_AUTHORIZATION_FAILED': 403,
    'CLUSTER_AUTHORIZATION_FAILED': 403,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED': 403,
    'MSG_SIZE_TOO_LARGE': 413,
    'RECORD_LIST_TOO_LARGE': 413,
    'SASL_AUTHENTICATION_FAILED': 503,
    'UNSUPPORTED_SASL_MECHANISM': 503,
    'ILLEGAL_SASL_STATE': 503,
    'DELEGATION_TOKEN_EXPIRED': 503,
    'INVALID_MSG': 500,
}

# a broker that answers so may have the message all the same

UNCERTAIN = ('NETWORK_EXCEPTION', 'FENCED_LEADER_EPOCH', 'UNKNOWN_TOPIC_ID',
             'OUT_OF_ORDER_SEQUENCE_NUMBER')

# a second try of the message can succeed

RETRIABLE = ('INVALID_MSG', 'NETWORK_EXCEPTION', 'FENCED_LEADER_EPOCH',
             'UNKNOWN_LEADER_EPOCH', 'THROTTLING_QUOTA_EXCEEDED',
             'STALE_CTRL_EPOCH', 'NOT_CONTROLLER', 'LOG_DIR_NOT_FOUND',
             'REASSIGNMENT_IN_PROGRESS', 'STALE_BROKER_EPOCH',
             'OFFSET_NOT_AVAILABLE', 'PREFERRED_LEADER_NOT_AVAILABLE',
             'ELIGIBLE_LEADERS_NOT_AVAILABLE', 'CONCURRENT_TRANSACTIONS',
             'OUT_OF_ORDER_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH',
             'INVALID_PRODUCER_ID_MAPPING', 'PRODUCER_FENCED',
             'UNKNOWN_TOPIC_ID')

# librdkafka tries again until the deadline, and does not say how each attempt
# ended: a deposed leader may have had the message

RETRIED = [
    'UNKNOWN_TOPIC_OR_PART',
    'LEADER_NOT_AVAILABLE',
    'NOT_LEADER_FOR_PARTITION',
    'BROKER_NOT_AVAILABLE',
    'REPLICA_NOT_AVAILABLE',
    'COORDINATOR_LOAD_IN_PROGRESS',
    'COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR',
    'NOT_ENOUGH_REPLICAS',
    'KAFKA_STORAGE_ERROR',
    'UNKNOWN_PRODUCER_ID',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'REQUEST_TIMED_OUT',
]

if confluent_kafka.libversion()[1] >= 0x02040000:
    RETRIED.append('INVALID_MSG')


class Brokers(MockCase):
    brokers = 3

    def test_every_produce_error(self):
        """Each error code of Kafka's, for a request of one message."""

        names = [name for name in
                 (confluent_kafka.KafkaError(i).name() for i in range(1, 120))
                 if not name.startswith('ERR_')]
        self.assertLessEqual({*PERMANENT, *RETRIED}, {*names})
        self.assertFalse({*PERMANENT} & {*UNCERTAIN})

        # a new client's first message takes librdkafka 2.10 up to a second

        lanes = 12
        mocks = [self.mock() for _ in range(lanes)]
        server = self.nginx(
            '\n'.join(kafkatest.producer(
                mock.bootstrap, 'message.timeout.ms 2000')
                .replace('main', f'lane{i}') for i, mock in enumerate(mocks)),
            '\n'.join(f'location /{i}/produce {{ kafka_produce lane{i}; }}'
                      for i in range(lanes)))
        answers = {}

        def run(lane):
            mocks[lane].command('topic t 1')
            for name in names[lane::lanes]:
                wait_for(lambda: server.get(f'/{lane}/produce/t/m').status
                         == 200, 10, f'all is well before {name}')
                mocks[lane].command(f'fail 0 {name} 1000')
                answers[name] = server.post(f'/{lane}/produce/t',
                                            [{'value': 'v'}])
                mocks[lane].command('clear 0')

        with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
            list(pool.map(run, range(lanes)))

        for name, answer in answers.items():
            with self.subTest(name=name):
                self.check_produce_error(name, answer)

    def check_produce_error(self, name, answer):
        if name == 'DUPLICATE_SEQUENCE_NUMBER':
            self.assertEqual(answer.status, 200, answer)
            self.assertIsNone(answer.json[0]['offset'])
            return

        if name in RETRIED:
            self.assertRefused(answer, 504, 'maybe', '_MSG_TIMED_OUT')
            return

        if name in UNCERTAIN:
            self.assertRefused(answer, 504, 'maybe', name)

        else:
            self.assertRefused(
                answer, 503 if name in RETRIABLE and name != 'INVALID_MSG'
                else PERMANENT.get(name, 500), 'no', name)

        self.assertEqual(answer.json['results'][0]['retriable'],
                         name in RETRIABLE)

    def test_duplicates_have_no_offset(self):
        """A broker that has the batch already does not tell where."""

        server = self.serve('linger.ms 100')
        self.warm(server)
        self.broker.command('fail 0 DUPLICATE_SEQUENCE_NUMBER 1')
        answer = server.post('/produce/t', [{'value': str(i)}
                                            for i in range(3)])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['offset'] for m in answer.json], [None] * 3)

        answer = server.get('/produce/t/next')
        self.assertEqual(answer.json['offset'], 1)
        self.assertEqual(self.values(), ['next'])

    def test_slow_brokers(self):
        """Each round trip takes a second; a cold worker needs several."""

        # librdkafka 2.14 needs 11 of them, or more

        self.slow(1000)
        server = self.serve('message.timeout.ms 20000')
        start = time.monotonic()
        waiting = [Waiting(server, f'/produce/t/{i}') for i in range(20)]
        self.assertEqual([w.answer().status for w in waiting], [200] * 20)
        self.assertLess(time.monotonic() - start, 15)

        start = time.monotonic()
        self.assertEqual(server.get('/produce/t/20').status, 200)
        self.assertLess(time.monotonic() - start, 3)

        self.slow(0)
        self.assertEqual(sorted(map(int, self.values())), list(range(21)))

    def test_slow_broker_beside_a_fast_one(self):
        """Records gather while others are on their way, but not for long."""

        self.broker.command('topic two 2')
        self.broker.command('leader two 0 1')
        self.broker.command('leader two 1 2')
        server = self.serve()

        def body(partition, count=1):
            return json.dumps([{'value': 'v', 'partition': partition}] * count)

        for partition in (0, 1):
            self.assertEqual(
                server.post('/produce/two', body(partition)).status, 200)

        self.broker.command('rtt 2 3000')
        slow = Waiting(server, '/produce/two', body(1, 100))
        server.wait_for_requests(1)
        start = time.monotonic()
        for _ in range(20):
            self.assertEqual(server.post('/produce/two', body(0)).status, 200)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(slow.answer().status, 200)

    def test_connection_cut_mid_request(self):
        """The request is with the broker when its connection ends."""

        server = self.serve('statistics.interval.ms 50')
        self.warm(server)

        def sent():
            return sum(broker['bytes_sent']
                       for broker in server.status()['brokers'])

        before = wait_for(sent, what='statistics')
        self.slow(1000)
        values = [str(i) * 1000 for i in range(5)]
        waiting = [Waiting(server, f'/produce/t/{value}') for value in values]
        server.wait_for_requests(5)
        wait_for(lambda: sent() > before + 1000, what='they are with a broker')
        self.broker.command('down -1')
        self.broker.command('up -1')
        self.slow(0)
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)
        self.assertEqual(set(self.values()), set(values))

    def test_leader_moves(self):
        self.broker.command('topic moving 1')
        server = self.serve()
        load = kafkatest.Load(server, 'moving')
        for broker in 1, 2, 3, 1:
            load.wait_for_more(200)
            self.broker.command(f'leader moving 0 {broker}')
        load.wait_for_more(200)
        load.stop()

        # librdkafka may only infer that the new leader has some of them

        self.assertLessEqual(set(load.answers), {200, 504}, load.answers)
        self.assertLessEqual(set(load.codes), {'_NO_OFFSET'}, load.codes)
        values = sorted(map(int, self.values('moving')))
        self.assertEqual(values, sorted(set(values)))
        self.assertLessEqual(load.acknowledged, set(values))
        self.assertGreater(len(load.acknowledged), 0.9 * load.sent)

    def test_no_leader_for_a_while(self):
        self.broker.command('topic lost 1')
        server = self.serve('topic.metadata.refresh.interval.ms 100')
        self.warm(server, 'lost')
        self.broker.command('leader lost 0 -1')

        # a request to the old leader would be the end of a newer mock cluster,
        # and nothing shows when librdkafka has learned that it leads no more

        time.sleep(1)
        waiting = [Waiting(server, f'/produce/lost/{i}') for i in range(5)]
        server.wait_for_requests(5)
        time.sleep(1)           # the while
        self.broker.command('leader lost 0 2')
        self.assertEqual([w.answer().status for w in waiting], [200] * 5)
        self.assertEqual(sorted(self.values('lost')), [*'01234'])

    def test_topic_denied_to_the_producer(self):
        """librdkafka refuses what it knows to be gone, at once: the module
        looks the topic up then, and goes by that."""

        server = self.serve('topic.metadata.refresh.interval.ms 200')
        self.warm(server)
        self.broker.command('error t UNKNOWN_TOPIC_OR_PART')

        # it gives a topic 2 s to be seen again, and does not show their end;
        # a request before it would have the module look the topic up first

        time.sleep(4)

        def looked_up():
            time.sleep(0.1)     # the pace of the client
            answer = server.post('/produce/t', [{'value': 'v'}])
            if answer.status != 200:
                self.assertRefused(answer, 404, 'no' if 'results' in
                                   answer.json else None)
            return answer.status == 404 and 'results' not in answer.json

        wait_for(looked_up, 5, 'it is found to be gone')
        self.broker.command('error t NO_ERROR')
        wait_for(lambda: server.get('/produce/t/warm').status == 200, 8,
                 'it is found again')

    def test_log_while_all_brokers_are_away(self):
        """Ten seconds, with callers: few lines, and one that is an error for
        each thing that went wrong."""

        server = self.serve('message.timeout.ms 1000')
        self.warm(server)
        before = len(server.log().splitlines())
        self.broker.command('down -1')

        end = time.monotonic() + 10
        while time.monotonic() < end:
            waiting = [Waiting(server, f'/produce/t/{i}') for i in range(20)]
            for w in waiting:
                self.assertIn(w.answer().status, (503, 504))

        lines = [line for line in server.log().splitlines()[before:]
                 if 'kafka' in line]
        errors = [line for line in lines if '[error]' in line]
        self.assertLess(len(lines), 100)
        self.assertIn(len(errors), range(1, 5), errors)
        self.assertIn('brokers are down', ''.join(errors))
        self.broker.command('up -1')
        wait_for(lambda: server.get('/produce/t/back').status == 200, 10,
                 'the brokers are found')

    def test_names_that_are_not_known(self):
        server = self.nginx(kafkatest.producer(
            'kafka-1.invalid:9092,kafka-2.invalid:9092',
            'message.timeout.ms 2000'))

        for _ in range(2):
            start = time.monotonic()
            answer = server.get('/produce/t/m')
            self.assertRefused(answer, 503)
            self.assertIn('names cannot be resolved', answer.json['error'])
            self.assertLess(time.monotonic() - start, 4.5)

        self.assertRegex(server.log(), r'\[error\] .*_RESOLVE: .*kafka-[12]')
        self.assertLess(server.log().count('[error]'), 8)
        self.assertIdle(server)


if __name__ == '__main__':
    kafkatest.unittest.main()
