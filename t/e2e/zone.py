#!/usr/bin/python3
"""A shared memory zone that is too small for all that there is to count: what
fits is counted as ever, and nothing fails for the rest.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest
from kafkatest import wait_for
from metrics import Scrape


SERVER = '''
        location /main/produce { kafka_produce main; }
        location /spare-one/produce { kafka_produce spare-one; }
        location = /status { kafka_status; }
        location = /metrics { kafka_status prometheus; }
        location = /health/main { kafka_health main; }
        location = /health/spare-one { kafka_health spare-one; }
'''

PRODUCERS = 'main', 'spare-one'
FULL = 'the shared memory of {} bytes is full'
MOST_BROKERS = 48               # NGX_HTTP_KAFKA_METRICS_BROKERS

# so long that 16 of them take a page of the zone; "spare-one" is too long to
# have a page together with "main"

TOPICS = ['t' * 150 + f'-{i}' for i in range(20)]
BROKERS = ['b' * 150 + f'-{i}:9092' for i in range(20)]


@unittest.skipIf(kafkatest.SANITIZER, 'it wants to be loaded first')
class Zone(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.told = os.path.join(self.folder, 'statistics')
        self.preloaded = self.preload('statistics.c',
                                      f'-DFILE_NAME="{self.told}"')

    def tell(self, brokers):
        """What statistics say: of each broker its state, and what was sent."""

        text = json.dumps({'brokers': {name: {
            'nodename': name, 'nodeid': int(re.search(r'(\d+):', name)[1]),
            'state': state, 'source': 'learned', 'txbytes': sent,
            'waitresp_cnt': 0} for name, (state, sent) in brokers.items()}})
        with open(f'{self.told}.new', 'w', encoding='ascii') as f:
            f.write(text)
        os.rename(f'{self.told}.new', self.told)

    def serve(self, zone=''):
        with self.preloaded:
            return self.nginx(zone + ''.join(
                f'kafka_producer {name} {{'
                f' bootstrap.servers {self.broker.bootstrap};'
                ' allow.auto.create.topics true;'
                ' statistics.interval.ms 50; }' for name in PRODUCERS), SERVER)

    def healthy(self, server):
        """Statistics have come: they say that a broker is up."""

        return all(server.get(f'/health/{name}').status == 200
                   for name in PRODUCERS)

    def sent(self, server, name):
        """To each broker that is shown."""

        brokers = server.get('/status').json['producers'][name]['brokers']
        return {broker['broker']: broker['bytes_sent'] for broker in brokers}

    def check_producer(self, server, name, sent):
        """That it counts right; what it does not count."""

        def counted():
            shown = server.get('/status').json['producers'].get(name)
            return (shown is None or shown['requests'] == {'200': 1}) and (
                shown or 'none')

        shown = wait_for(counted, what='the request is counted')
        scrape = Scrape(server)
        if shown == 'none':
            self.assertNotIn(f'producer="{name}"', scrape.text)
            return {'producer'}

        self.assertEqual(shown['messages_acknowledged'], len(TOPICS))
        self.assertEqual(
            scrape.get('kafka_messages_acknowledged_total', name), len(TOPICS))

        topics = {topic: count['acknowledged']
                  for topic, count in shown['topics'].items()}
        others = topics.pop('(other)', 0)
        self.assertLessEqual(set(topics), set(TOPICS))
        self.assertEqual(set(topics.values()), {1} if topics else set())
        self.assertEqual(len(topics) + others, len(TOPICS))
        self.assertEqual(scrape.get('kafka_topic_messages_acknowledged_total',
                                    name, topic='(other)'), others)

        brokers = self.sent(server, name)
        self.assertEqual(brokers, {broker: sent[broker] for broker in brokers})

        return {f'{what} of {count}' for what, count, most in (
            ('topics', len(topics), len(TOPICS)),
            ('brokers', len(brokers), len(BROKERS))) if count < most}

    def check_zone(self, size):
        """What is not counted in a zone of that size."""

        server = self.serve(f'kafka_status_zone {size};')
        wait_for(lambda: self.healthy(server), what='statistics')

        for name in PRODUCERS:
            answer = server.post(f'/{name}/produce', [
                {'topic': topic, 'partition': 0, 'value': 'm'}
                for topic in TOPICS])
            self.assertEqual(answer.status, 200, answer)

        sent = {name: 1000 + i for i, name in enumerate(BROKERS)}
        lacks = set().union(*(self.check_producer(server, name, sent)
                              for name in PRODUCERS))

        # it is said once, and only where it is true

        self.assertEqual(server.log().count(FULL.format(size)), bool(lacks))
        self.assertEqual(server.stop(), 0)

        return lacks

    def test_a_zone_of_any_size(self):
        """A page more each time, from the smallest one to one that is large
        enough, so that each thing is the first one to find no room."""

        self.tell({name: ('UP', 1000 + i) for i, name in enumerate(BROKERS)})
        page = os.sysconf('SC_PAGE_SIZE')
        seen = set()

        for pages in range(8, 40):
            with self.subTest(pages=pages):
                lacks = self.check_zone(pages * page)
                seen |= lacks or {'nothing'}
            if 'nothing' in seen:
                break

        self.assertLessEqual({'producer', 'nothing'}, seen)

        for what in 'topics', 'brokers':
            self.assertIn(f'{what} of 0', seen)
            self.assertTrue(any(found.startswith(what)
                                and found != f'{what} of 0'
                                for found in seen), seen)

    def test_more_brokers_than_there_are_places(self):
        """Those that come first are counted; all have a say in health."""

        names = [f'broker-{i}:9092' for i in range(MOST_BROKERS + 12)]
        counted = names[:MOST_BROKERS]

        def told(base):
            return {name: ('UP' if name == names[-1] else 'DOWN', base + i)
                    for i, name in enumerate(names)}

        self.tell(told(1000))
        server = self.serve()
        wait_for(lambda: self.healthy(server), what='statistics')

        for base in 1000, 5000:
            self.tell(told(base))
            for name in PRODUCERS:
                expected = {broker: base + i
                            for i, broker in enumerate(counted)}
                wait_for(lambda: self.sent(server, name) == expected,
                         what=f'{expected}, not {self.sent(server, name)}')

        # in another order, with the first ones gone

        self.tell(dict(reversed(list(told(9000).items())[20:])))
        expected = {broker: 5000 + i if i < 20 else 9000 + i
                    for i, broker in enumerate(counted)}
        wait_for(lambda: self.sent(server, 'main') == expected,
                 what=f'{expected}, not {self.sent(server, "main")}')

        self.assertTrue(self.healthy(server))
        self.assertNotIn('is full', server.log())
        Scrape(server)


if __name__ == '__main__':
    kafkatest.unittest.main()
