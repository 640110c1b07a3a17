#!/usr/bin/python3
"""Where brokers are far away a producer spreads its partitions over more than
one client, and the messages with a key keep their order while it does.
"""

import collections
import json
import os
import selectors
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from http2 import Http2
from kafkatest import wait_for
from replace import clients


RTT = 20        # milliseconds
PERIOD = 500    # milliseconds between two judgements, at least
WINDOW = 4      # messages of a key on their way


class Keys:
    """Sends "KEY NUMBER" for each key, from 0, some before the first of them is
    answered: by HTTP/2, where nginx takes a connection's requests in their
    order.
    """

    def __init__(self, server, port, topic, keys):
        self.topic = topic
        self.sent = dict.fromkeys(keys, 0)
        self.answered = dict.fromkeys(keys, 0)
        self.failed = []
        self.selector = selectors.DefaultSelector()
        for key in keys:
            client = Http2(server, port)
            self.selector.register(client.socket, selectors.EVENT_READ,
                                   (key, client))
            for _ in range(WINDOW):
                self.send(key, client)

    def send(self, key, client):
        number = self.sent[key]
        client.request(2 * number + 1, 'GET',
                       f'/produce/{self.topic}/{key}%20{number}?key={key}')
        self.sent[key] += 1

    def receive(self, key, client):
        """The next answer; those of a key come in their order."""

        answer = json.loads(client.read(2 * self.answered[key] + 1))
        self.answered[key] += 1
        if 'offset' not in answer:
            self.failed.append(answer)

    def turn(self):
        """Takes answers that have come; a key's next message follows."""

        events = self.selector.select(10)
        if not events:
            raise TimeoutError('no answer comes')
        for item, _ in events:
            self.receive(*item.data)
            self.send(*item.data)

    def wait_for(self, condition, what):
        """Goes on until it is true."""

        def holds():
            self.turn()
            return condition()

        wait_for(holds, 20, what)

    def wait_for_rounds(self, count):
        """Until each key has so many answers more."""

        goal = {key: n + count for key, n in self.answered.items()}
        self.wait_for(lambda: all(self.answered[key] >= n
                                  for key, n in goal.items()),
                      f'{count} rounds')

    def end(self):
        for item in [*self.selector.get_map().values()]:
            key, client = item.data
            while self.answered[key] < self.sent[key]:
                self.receive(key, client)
            client.close()
        self.selector.close()


class Shards(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()

    def begin(self, topic, partitions, keys):
        self.broker.command(f'topic {topic} {partitions}')
        port = kafkatest.free_port()
        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap),
            f'{kafkatest.SERVER}\nlisten 127.0.0.1:{port} http2;')
        self.broker.command(f'rtt -1 {RTT}')
        self.assertEqual(server.get(f'/produce/{topic}/warm').status, 200)
        load = Keys(server, port, topic, [f'k{i}' for i in range(keys)])
        self.first = clients(server)    # and that of look-ups
        return server, load

    def others(self, server):
        return clients(server) - self.first

    def check(self, load):
        """Each message is there once, and those of a key in their order."""

        load.end()
        self.assertEqual(load.failed, [])
        self.broker.command('rtt -1 0')
        found = collections.defaultdict(list)
        for record in kafkatest.read_topic(self.broker.bootstrap, load.topic):
            if record.key is not None:
                found[record.key.decode()].append(record.value.decode())
        self.assertEqual(
            {key: (values, count) for key, count in load.sent.items()
             if (values := found[key]) != [f'{key} {i}' for i in range(count)]},
            {})

    def test_more_clients(self):
        server, load = self.begin('many', 32, 96)
        load.wait_for(lambda: self.others(server), 'there are more')

        # they are used a little later, with the partitions that go to them

        load.wait_for_rounds(3 * PERIOD // RTT)
        self.check(load)
        self.assertIn('its partitions are spread over', server.log())
        self.assertEqual(server.status()['clients_rebuilt'], 0)

    def check_one(self, partitions, keys):
        server, load = self.begin('few', partitions, keys)
        load.wait_for_rounds(3 * PERIOD // RTT)
        self.assertEqual(self.others(server), set())
        self.check(load)

    def test_one_client_for_one_partition(self):
        self.check_one(1, 8)

    def test_one_client_for_few_callers(self):
        self.check_one(32, 2)


if __name__ == '__main__':
    kafkatest.unittest.main()
