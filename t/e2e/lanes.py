#!/usr/bin/python3
"""Messages wait for those of their own partition only, and get the partition
that librdkafka would choose.
"""

import json
import os
import sys
import time

from confluent_kafka import Producer

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for
from life import Waiting


SLOW = 3000     # milliseconds
KEYS = [f'key {i}' for i in range(200)] + ['', 'a', 'ä', '0' * 300]


class Lanes(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock(2)
        self.broker.command('topic t 12')
        for partition in range(12):
            self.broker.command(f'leader t {partition} {partition % 2 + 1}')

    def serve(self, *properties):
        return self.nginx(kafkatest.producer(self.broker.bootstrap,
                                             *properties), kafkatest.SERVER)

    def message(self, value, partition):
        return json.dumps({'value': value, 'partition': partition})

    def warm(self, server, *partitions):
        for partition in partitions:
            self.assertEqual(server.post(
                '/produce/t', {'value': 'warm', 'partition': partition})
                .status, 200)

    def wait_for_messages(self, server, unsent, pending):
        """Until so many wait in nginx, and so many are with librdkafka."""

        def counts():
            status = server.status()
            return status['messages_unsent'], status['messages_pending']

        wait_for(lambda: counts() == (unsent, pending),
                 what=f'{unsent} messages wait, {pending} are on their way')

    def test_one_group_on_its_way(self):
        """Others of the partition wait in nginx, and go together, in order."""

        server = self.serve()
        self.warm(server, 0)
        self.broker.command(f'rtt -1 {SLOW}')
        first = Waiting(server, '/produce/t', self.message('first', 0))
        self.wait_for_messages(server, 0, 1)

        others = []
        for i in range(5):
            others.append(Waiting(server, '/produce/t',
                                  self.message(str(i), 0)))
            self.wait_for_messages(server, i + 1, 1)

        self.broker.command('rtt -1 0')
        for w in (first, *others):
            self.assertEqual(w.answer().status, 200)
        self.assertEqual(
            [r.value.decode() for r in
             kafkatest.read_topic(self.broker.bootstrap, 't')],
            ['warm', 'first', *map(str, range(5))])

    def test_the_first_is_alone(self):
        """A partition's first records could be in several requests: one goes
        first, and the others once it is acknowledged.
        """

        server = self.serve()
        self.warm(server, 1)
        self.broker.command(f'rtt 1 {SLOW}')
        waiting = Waiting(server, '/produce/t', json.dumps(
            [{'value': str(i), 'partition': 0} for i in range(10)]))
        self.wait_for_messages(server, 9, 1)
        self.broker.command('rtt 1 0')

        answer = waiting.answer()
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([m['offset'] for m in answer.json],
                         list(range(10)))

    def test_a_slow_partition(self):
        """It holds up no other, nor the messages beside its own in a batch."""

        server = self.serve()
        self.warm(server, 0, 1)
        self.broker.command(f'rtt 1 {SLOW}')
        slow = [Waiting(server, '/produce/t', self.message(str(i), 0))
                for i in range(3)]
        both = Waiting(server, '/produce/t', json.dumps(
            [{'value': 'both', 'partition': i} for i in range(2)]))
        self.wait_for_messages(server, 3, 1)

        for i in range(20):
            self.assertEqual(server.post('/produce/t', {
                'value': str(i), 'partition': 1}).status, 200)
        for w in (*slow, both):
            self.assertFalse(w.future.done())
        self.broker.command('rtt 1 0')
        for w in (*slow, both):
            self.assertEqual(w.answer().status, 200)

    def test_what_waits_in_nginx_is_not_in_kafka(self):
        """Its time ends there, and it is surely not sent later."""

        server = self.serve('message.timeout.ms 1000')
        self.warm(server, 0)
        self.broker.command('rtt -1 60000')
        first = Waiting(server, '/produce/t', self.message('first', 0))
        self.wait_for_messages(server, 0, 1)
        second = Waiting(server, '/produce/t', self.message('second', 0))
        self.wait_for_messages(server, 1, 1)

        answer = first.answer()
        self.assertEqual(answer.status, 504, answer)
        self.assertEqual(answer.json['results'][0]['persisted'], 'maybe')
        answer = second.answer()
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(answer.json['results'][0]['code'], '_MSG_TIMED_OUT')
        self.assertEqual(answer.json['results'][0]['persisted'], 'no')

        self.broker.command('rtt -1 0')
        wait_for(lambda: server.post('/produce/t', {
            'value': 'last', 'partition': 0}).status == 200, what='it is fast')
        self.assertNotIn('second', [
            r.value.decode() for r in
            kafkatest.read_topic(self.broker.bootstrap, 't')])

    def librdkafka(self, partitioner):
        """The partitions that it chooses for the keys, and for no key."""

        found = {}
        producer = Producer({'bootstrap.servers': self.broker.bootstrap,
                             'partitioner': partitioner,
                             'sticky.partitioning.linger.ms': 0})

        def report(key):
            return lambda err, msg: found.update({key: msg.partition()})

        for key in (*KEYS, None):
            producer.produce('t', 'v', key=key, on_delivery=report(key))
        self.assertEqual(producer.flush(20), 0)
        return found

    def test_partitioners(self):
        for partitioner in ('consistent', 'consistent_random', 'murmur2',
                            'murmur2_random', 'fnv1a', 'fnv1a_random'):
            with self.subTest(partitioner=partitioner):
                server = self.serve(f'partitioner {partitioner}')
                answer = server.post('/produce/t', [
                    {'value': 'v', 'key': key} for key in (*KEYS, None)])
                self.assertEqual(answer.status, 200, answer)
                ours = dict(zip((*KEYS, None),
                                (m['partition'] for m in answer.json)))
                theirs = self.librdkafka(partitioner)

                # what may have any

                if partitioner.endswith('_random'):
                    del ours[None], theirs[None]
                if partitioner == 'consistent_random':
                    del ours[''], theirs['']
                self.assertEqual(ours, theirs)
                self.assertEqual(set(ours.values()), set(range(12)))

    def test_random(self):
        """Of 600 with one key no partition of 12 gets none."""

        server = self.serve('partitioner random')
        answer = server.post('/produce/t', [{'value': 'v', 'key': 'k'}] * 600)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual({m['partition'] for m in answer.json},
                         set(range(12)))

    def test_without_a_key(self):
        """Those of one moment share a partition, others get another one."""

        server = self.serve()
        seen = set()
        for _ in range(250):
            answer = server.post('/produce/t', [{'value': 'v'}] * 10)
            self.assertEqual(answer.status, 200, answer)
            partitions = {m['partition'] for m in answer.json}
            self.assertEqual(len(partitions), 1)
            seen |= partitions
            time.sleep(0.011)       # sticky.partitioning.linger.ms
        self.assertEqual(seen, set(range(12)))

    def test_without_a_key_beside_a_slow_broker(self):
        """Its partitions are avoided, once they are seen to be slow."""

        server = self.serve()
        self.warm(server, *range(12))
        self.broker.command('rtt 1 60000')
        stuck = [Waiting(server, '/produce/t', self.message('v', partition))
                 for partition in range(0, 12, 2)]
        self.wait_for_messages(server, 0, 6)
        time.sleep(0.6)             # NGX_HTTP_KAFKA_PARTITION_STUCK

        for _ in range(50):
            answer = server.post('/produce/t', {'value': 'v'}, timeout=5)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json[0]['partition'] % 2, 1)
            time.sleep(0.011)

        self.broker.command('rtt 1 0')
        for w in stuck:
            w.answer()


if __name__ == '__main__':
    kafkatest.unittest.main()
