#!/usr/bin/python3
"""Messages that are overdue while they are with a broker: neither they nor
those beside them may be in Kafka twice.
"""

import collections
import itertools
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from life import Waiting
from shards import Keys


REPLACED = 'to avoid duplicates'


class Overdue(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)

    def serve(self, topic, *properties, partitions=1):
        self.kafka.topic(topic, partitions)
        server = self.nginx(kafkatest.producer(
            self.kafka.bootstrap, 'message.timeout.ms 5000', *properties))
        for partition in range(partitions):
            self.assertEqual(server.post(
                f'/produce/{topic}', {'value': f'warm-{partition}',
                                      'partition': partition}).status, 200)
        return server

    def paused(self, seconds, server, topic, *bodies):
        """The answers to bodies that are posted, one after another, during a
        pause of the broker.
        """

        self.kafka.util('pause', '1')
        try:
            waiting = []
            for body in bodies:
                waiting.append(Waiting(server, f'/produce/{topic}', body))
                time.sleep(seconds / len(bodies))   # a part of the pause
        finally:
            self.kafka.util('resume', '1')

        return [w.answer() for w in waiting]

    def check_true(self, server, topic, sent):
        """What is in Kafka is what was answered; by value."""

        self.assertEqual(server.get(f'/produce/{topic}/after').status, 200)
        # what else librdkafka might send again; none of it would be counted

        time.sleep(1)
        records = kafkatest.read_topic(self.kafka.bootstrap, topic)
        count = collections.Counter(r.value.decode() for r in records)
        self.assertEqual([v for v, n in count.items() if n > 1], [])

        for value, result in sent:
            fate = result.get('persisted', 'acked')
            if fate == 'acked':
                self.assertIn((result['partition'], result['offset'], value),
                              [(r.partition, r.offset, r.value.decode())
                               for r in records])
            elif fate == 'no':
                self.assertNotIn(value, count)

    def results(self, answer):
        found = answer.json
        if answer.status != 200:
            found = found['results']
        return found if isinstance(found, list) else [found]

    def test_those_beside_an_overdue_message(self):
        server = self.serve('beside', partitions=2)
        first, second = self.paused(
            6, server, 'beside', '{"value":"a","partition":0}',
            '{"value":"b","partition":1}')
        self.assertEqual(first.status, 504, first)
        self.check_true(server, 'beside',
                        [('a', *self.results(first)),
                         ('b', *self.results(second))])
        self.assertEqual(server.log().count(REPLACED), 1)

    def test_a_batch_half_of_which_was_sent(self):
        """What is with the broker and what still waits are overdue at once."""

        server = self.serve('half', 'batch.num.messages 100',
                            'linger.ms 5', partitions=2)
        values = [str(i) for i in range(2000)]
        bodies = [json.dumps([{'value': v} for v in values[:1000]]),
                  json.dumps([{'value': v} for v in values[1000:]])]
        results = [self.results(answer) for answer in
                   self.paused(7, server, 'half', *bodies)]
        fates = collections.Counter(r.get('persisted', 'acked')
                                    for r in results[0] + results[1])
        self.assertGreater(fates['maybe'], 0, fates)
        self.check_true(server, 'half', [*zip(values, sum(results, []))])


class Refused(kafkatest.TestCase):
    """librdkafka starts its sequence numbers anew after a refusal, too: it
    sends nothing to anyone until all that is on its way is answered."""

    def test_a_refusal_beside_a_broker_that_hangs(self):
        broker = self.mock(2)
        broker.command('topic refused 2')
        broker.command('leader refused 0 1')
        broker.command('leader refused 1 2')
        server = self.nginx(kafkatest.producer(broker.bootstrap))

        def body(partition):
            return json.dumps({'value': 'v', 'partition': partition})

        for partition in (0, 1):
            self.assertEqual(
                server.post('/produce/refused', body(partition)).status, 200)

        broker.command('rtt 2 8000')
        hanging = Waiting(server, '/produce/refused', body(1))
        server.wait_for_requests(1)
        broker.command('answer 1 0 TOPIC_EXCEPTION 0')
        self.assertEqual(
            server.post('/produce/refused', body(0)).status, 400)

        start = time.monotonic()
        self.assertEqual(
            server.post('/produce/refused', body(0)).status, 200)
        self.assertLess(time.monotonic() - start, 3)
        self.assertIn(hanging.answer().status, (200, 504))
        self.assertEqual(server.log().count(REPLACED), 1)

    def test_a_refusal_costs_no_other_answer(self):
        """The client is replaced once; then the topic's records are with
        others no longer."""

        broker = self.mock()
        broker.command('topic refused 1')
        server = self.nginx(kafkatest.producer(broker.bootstrap))
        load = kafkatest.Load(server, 'refused', clients=4)
        for _ in range(5):
            load.wait_for_more(200)
            broker.command('fail 0 TOPIC_EXCEPTION 1')
        load.wait_for_more(200)
        load.stop()
        self.assertEqual(set(load.answers), {200, 400})
        self.assertEqual(server.log().count(REPLACED), 1)

    def test_refusals_cost_other_partitions_nothing(self):
        """Messages that fail for good, one after another, beside a load with
        keys for another topic.
        """

        broker = self.mock(2)
        for topic, node in ('t', 2), ('u', 1):
            broker.command(f'topic {topic} 12')
            for partition in range(12):
                broker.command(f'leader {topic} {partition} {node}')
        port = kafkatest.free_port()
        server = self.nginx(
            kafkatest.producer(broker.bootstrap),
            f'{kafkatest.SERVER}\nlisten 127.0.0.1:{port} http2;')
        for partition in range(12):
            self.assertEqual(server.post('/produce/t', {
                'value': 'warm', 'partition': partition}).status, 200)

        # more partitions than requests on their way: some wait in the client

        broker.command('rtt 1 20')
        keys = [f'k{i}' for i in range(48)]
        load = Keys(server, port, 'u', keys)
        load.wait_for_rounds(1)
        errors = {'INVALID_RECORD': 400, 'MSG_SIZE_TOO_LARGE': 413}
        for i, error in zip(range(24), itertools.cycle(errors)):
            # the first one is tried once more, alone

            for _ in range(1 if i else 2):
                broker.command(f'answer 2 0 {error} 0')
            bad = Waiting(server, '/produce/t', json.dumps(
                {'value': 'bad', 'partition': i % 12}))
            load.wait_for(bad.future.done, 'it fails')
            answer = bad.answer()
            self.assertEqual(answer.status, errors[error], answer)
            self.assertEqual(answer.json['results'][0]['code'], error)
            load.wait_for_rounds(1)
        load.end()
        broker.command('rtt 1 0')

        self.assertEqual(load.failed, [])
        self.assertLessEqual(server.status()['clients_rebuilt'], 2)
        found = collections.Counter(
            r.value.decode() for r in kafkatest.read_topic(broker.bootstrap,
                                                           'u'))
        self.assertEqual(found, {f'{key} {i}': 1 for key in keys
                                 for i in range(load.sent[key])})


if __name__ == '__main__':
    kafkatest.unittest.main()
