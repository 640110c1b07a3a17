#!/usr/bin/python3
"""Status and health over several workers, reloads, deaths and broken brokers;
what logs tell, and what they must not.
"""

import collections
import itertools
import json
import os
import re
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

from prometheus_client.parser import text_string_to_metric_families

import kafkatest
from kafkatest import Load, wait_for


SERVER = '''
        location /produce { kafka_produce main; }
        location = /status { kafka_status; }
        location = /metrics { kafka_status prometheus; }
        location = /health { kafka_health main; }
'''

BROKERS = 15                    # more than lines of librdkafka's in a second


class Warn(kafkatest.Nginx):
    """One whose log has no line below warnings."""

    def write(self, http_block, server):
        super().write(http_block, server)
        with open(self.conf, encoding='utf-8') as f:
            text = f.read()
        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write(text.replace('error.log info;', 'error.log warn;'))


class Scrape:
    """Prometheus's text, read by Prometheus's own parser."""

    def __init__(self, server):
        answer = server.get('/metrics')
        assert answer.status == 200, answer
        assert answer.headers['Content-Type'] == \
            'text/plain; version=0.0.4; charset=utf-8', answer.headers

        self.text = answer.body.decode()
        self.types = {}
        self.samples = {}

        for family in text_string_to_metric_families(self.text):
            assert family.name not in self.types, family.name
            assert family.documentation, family.name
            self.types[family.name] = family.type

            for sample in family.samples:
                key = (sample.name, *sorted(sample.labels.items()))
                assert key not in self.samples, key
                self.samples[key] = sample.value

        self.check_histogram()

    def get(self, name, producer='main', **labels):
        labels['producer'] = producer
        return self.samples.get((name, *sorted(labels.items())), 0)

    def named(self, name):
        return {key: value for key, value in self.samples.items()
                if key[0] == name}

    def counters(self):
        return {key: value for key, value in self.samples.items()
                if re.search(r'_(total|count|sum|bucket)$', key[0])}

    def check_histogram(self):
        name = 'kafka_acknowledgement_seconds'
        buckets = collections.defaultdict(list)

        for key, value in self.named(f'{name}_bucket').items():
            labels = dict(key[1:])
            buckets[labels['producer']].append((float(labels['le']), value))

        for producer, values in buckets.items():
            values.sort()
            counts = [count for _, count in values]
            assert counts == sorted(counts), values
            assert values[-1][0] == float('inf'), values
            assert counts[-1] == self.get(f'{name}_count', producer), values
            assert counts[-1] == self.get(
                'kafka_messages_acknowledged_total', producer), values


class Metrics(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic metrics 4')

    def serve(self, *properties, http='', server=SERVER, **kwargs):
        return self.nginx(
            kafkatest.producer(self.broker.bootstrap, *properties) + http,
            server, **kwargs)

    def counted(self, server, requests):
        """Once all are: a request is counted after its answer went out."""

        def scrape():
            now = Scrape(server)
            total = sum(now.named('kafka_requests_total').values())
            self.assertLessEqual(total, requests)
            return total == requests and now

        return wait_for(scrape, what='all requests are counted')

    # sums

    def test_sums_of_several_workers(self):
        server = self.serve(workers=4)
        load = Load(server, 'metrics')
        load.wait_for_more(500)
        load.stop()
        self.assertEqual(load.answers, {200: load.sent})

        for _ in range(20):
            server.post('/produce', [{'topic': 'metrics', 'key': 'k',
                                      'value': 'vv'}] * 10)
            server.post('/produce', 'no json')

        now = self.counted(server, load.sent + 40)
        sent = load.sent + 200
        size = sum(len(str(i)) for i in range(load.sent)) + 200 * 3

        self.assertEqual(now.get('kafka_requests_total', status='200'),
                         load.sent + 20)
        self.assertEqual(now.get('kafka_requests_total', status='400'), 20)
        self.assertEqual(now.get('kafka_messages_acknowledged_total'), sent)
        self.assertEqual(now.get('kafka_acknowledged_bytes_total'), size)
        self.assertEqual(
            now.get('kafka_topic_messages_acknowledged_total',
                    topic='metrics'), sent)
        self.assertEqual(now.get('kafka_workers'), 4)
        self.assertGreater(now.get('kafka_acknowledgement_seconds_sum'), 0)

        for gauge in 'requests_waiting', 'messages_unsent', 'messages_pending':
            self.assertEqual(now.get(f'kafka_{gauge}'), 0, gauge)

        self.assertEqual(len(kafkatest.read_topic(self.broker.bootstrap,
                                                  'metrics')), sent)
        self.assertEqual(now.types['kafka_requests'], 'counter')
        self.assertEqual(now.types['kafka_acknowledgement_seconds'],
                         'histogram')

        # the same in JSON

        status = server.get('/status').json
        main = status['producers']['main']

        self.assertEqual(sorted(w['pid'] for w in status['workers']),
                         sorted(server.worker_pids()))
        self.assertEqual(main['requests'],
                         {'200': load.sent + 20, '400': 20})
        self.assertEqual(main['messages_acknowledged'], sent)
        self.assertEqual(main['bytes_acknowledged'], size)

    def test_consistent_while_it_is_written(self):
        server = self.serve(workers=2)
        load = Load(server, 'metrics')
        before = {}

        try:
            for _ in range(200):
                now = Scrape(server).counters()
                for key, value in before.items():
                    self.assertGreaterEqual(now[key], value, key)
                before = now
        finally:
            load.stop()

        self.counted(server, load.sent)

    def test_without_master(self):
        server = self.serve(master=False)
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        now = self.counted(server, 1)
        self.assertEqual(now.get('kafka_messages_acknowledged_total'), 1)
        self.assertEqual(now.get('kafka_workers'), 1)

    def test_memory_of_a_value_that_comes_in_pieces(self):
        """What is allocated counts, not only the bytes in use."""

        server = self.serve()

        def held():
            worker, = server.get('/status').json['workers']
            return worker['memory']

        with server.connect() as s:
            s.sendall(b'POST /produce/metrics HTTP/1.1\r\nHost: a\r\n'
                      b'Expect: 100-continue\r\nContent-Length: 9013\r\n\r\n')
            self.assertIn(b' 100 ', s.recv(4096))
            s.sendall(b'{"value":"' + b'x' * 9000)
            wait_for(lambda: held() > 9000, what='most of the value')
            s.sendall(b'x')
            wait_for(lambda: held() > 18000, what='it is twice as large')
            s.sendall(b'"}')
            self.assertEqual(kafkatest.read_response(s).status, 200)
        wait_for(lambda: held() == 0, what='all of it is freed')

    def check_memory_of_refused(self, status, size, end=b''):
        """It is freed at once, not when nginx has discarded the rest."""

        server = self.serve(
            http='kafka_max_memory 12m;',
            server='client_max_body_size 0; lingering_timeout 60s;' + SERVER)
        pid, = server.worker_pids()
        self.assertEqual(server.get('/produce/metrics/warm').status, 200)
        before = kafkatest.rss_bytes(pid)

        with server.connect() as s:
            text = b'{"value":"' + b'x' * size + end
            s.sendall(b'POST /produce/metrics HTTP/1.1\r\nHost: a\r\n'
                      b'Transfer-Encoding: chunked\r\n\r\n'
                      b'%x\r\n%b\r\n' % (len(text), text))
            self.assertEqual(kafkatest.read_response(s).status, status)
            self.assertGrowth(pid, before, 4000000)

    def test_memory_of_an_invalid_body(self):
        self.check_memory_of_refused(400, 8000000, b'\xff')

    def test_memory_of_a_body_that_is_too_large(self):
        self.check_memory_of_refused(413, 16000000)

    def test_gauges(self):
        server = self.serve()
        self.assertEqual(server.get('/produce/metrics/warm').status, 200)
        self.broker.command('rtt 1 1500')

        threads = [threading.Thread(target=server.post, args=(
            '/produce/metrics', [{'value': 'x' * 1000}] * 3))
            for _ in range(5)]
        for thread in threads:
            thread.start()

        def waiting():
            now = Scrape(server)
            return now.get('kafka_requests_waiting') == 5 and now

        now = wait_for(waiting, what='five requests wait')
        self.assertEqual(now.get('kafka_messages_unsent')
                         + now.get('kafka_messages_pending'), 15)
        held = now.samples[('kafka_memory_bytes',)]
        self.assertGreater(held, 5 * 2048)
        self.assertEqual(
            held, now.samples[('kafka_memory_worker_most_bytes',)])

        worker, = server.get('/status').json['workers']
        self.assertEqual(worker['requests_waiting'], 5)
        self.assertEqual(worker['memory'], held)

        for thread in threads:
            thread.join()
        now = self.counted(server, 6)
        self.assertEqual(now.get('kafka_messages_acknowledged_total'), 16)
        self.assertEqual(now.get('kafka_requests_waiting'), 0)
        self.assertEqual(now.get('kafka_messages_pending'), 0)
        self.assertEqual(now.get('kafka_messages_unsent'), 0)
        self.assertEqual(now.samples[('kafka_memory_bytes',)], 0)

        # all 15 needed a round trip of 1.5 s and more

        self.assertEqual(
            now.get('kafka_acknowledgement_seconds_bucket', le='1'), 1)
        self.assertGreater(now.get('kafka_acknowledgement_seconds_sum'), 22)

    def test_failures(self):
        server = self.serve('message.timeout.ms 1000')
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        self.broker.command('down -1')
        answer = server.post('/produce/metrics', [{'value': 'a'}] * 7)
        self.assertIn(answer.status, (503, 504))

        now = self.counted(server, 2)
        self.assertEqual(
            now.get('kafka_messages_failed_total', code='_MSG_TIMED_OUT'), 7)
        self.assertEqual(now.get('kafka_topic_messages_failed_total',
                                 topic='metrics'), 7)
        self.assertEqual(now.get('kafka_messages_pending'), 0)
        self.assertEqual(now.get('kafka_messages_unsent'), 0)
        self.assertEqual(now.get('kafka_requests_waiting'), 0)

    def test_a_client_that_is_rebuilt(self):
        server = self.serve()
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        self.broker.command('fail 0 OUT_OF_ORDER_SEQUENCE_NUMBER 1')
        server.get('/produce/metrics/fatal')
        wait_for(lambda: server.get('/produce/metrics/m').status == 200, 15,
                 'a new client works')
        self.assertEqual(
            Scrape(server).get('kafka_clients_rebuilt_total'), 1)

    def test_a_client_is_rebuilt_at_once(self):
        """Nothing need come to have the brokers watched again."""

        server = self.serve('statistics.interval.ms 100')
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        wait_for(lambda: Scrape(server).named('kafka_broker_up'),
                 what='statistics')
        self.broker.command('fail 0 OUT_OF_ORDER_SEQUENCE_NUMBER 1')
        server.get('/produce/metrics/fatal')

        wait_for(lambda: Scrape(server).get('kafka_clients_rebuilt_total') == 1,
                 5, 'a new client')
        self.broker.command('down -1')
        wait_for(lambda: set(Scrape(server).named('kafka_broker_up').values())
                 == {0}, 10, 'it sees that the broker is down')

    def test_clients_that_are_refused_are_few(self):
        """Brokers may refuse each client as it comes."""

        self.broker.command('fail 22 CLUSTER_AUTHORIZATION_FAILED 100000')
        server = self.serve('statistics.interval.ms 100')
        wait_for(lambda: Scrape(server).get('kafka_clients_rebuilt_total') >= 2,
                 what='clients are made anew')
        time.sleep(3)           # for those that would come
        self.assertLess(Scrape(server).get('kafka_clients_rebuilt_total'), 12)

    def test_brokers_of_a_client_that_is_rebuilt(self):
        server = self.serve('statistics.interval.ms 100')

        def total(name):
            return sum(Scrape(server).named(
                f'kafka_broker_{name}_total').values())

        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        connects = wait_for(lambda: total('connects'), what='statistics')
        self.broker.command('fail 0 OUT_OF_ORDER_SEQUENCE_NUMBER 1')
        server.get('/produce/metrics/fatal')

        # it connects as often as the one before it, and sends more

        wait_for(lambda: server.get('/produce/metrics/m').status == 200, 15,
                 'a new client works')
        wait_for(lambda: total('connects') >= 2 * connects,
                 what='its connections are counted')

    def test_the_client_left(self):
        server = self.serve()
        self.assertEqual(server.get('/produce/metrics/warm').status, 200)
        self.broker.command('rtt 1 1000')

        with server.connect() as s:
            s.sendall(b'GET /produce/metrics/left HTTP/1.1\r\nHost: a\r\n\r\n')
            wait_for(lambda: Scrape(server).get('kafka_requests_waiting') == 1,
                     what='it waits')

        now = self.counted(server, 2)
        self.assertEqual(now.get('kafka_requests_total', status='499'), 1)
        self.broker.command('rtt 1 0')
        wait_for(lambda: Scrape(server).get(
            'kafka_messages_acknowledged_total') == 2, what='it is sent')

    def test_many_topics(self):
        server = self.serve('allow.auto.create.topics true')

        for i in range(110):
            self.assertEqual(server.get(f'/produce/many-{i}/m').status, 200)

        now = self.counted(server, 110)
        topics = {dict(key[1:])['topic']: value for key, value in
                  now.named('kafka_topic_messages_acknowledged_total').items()}
        self.assertEqual(len(topics), 101)
        self.assertEqual(topics.pop('(other)'), 10)
        self.assertEqual(set(topics.values()), {1})

    def test_names_that_are_no_topic_take_no_place(self):
        self.broker.command('error nope UNKNOWN_TOPIC_OR_PART')
        server = self.serve()

        for _ in range(5):
            self.assertEqual(server.get('/produce/nope/m').status, 404)

        self.counted(server, 5)
        self.assertEqual(server.get('/status').json['producers']['main']
                         ['topics'], {})
        self.assertNotIn('nope', Scrape(server).text)

    # the life of workers

    def test_reload_under_load(self):
        server = self.serve(workers=2)
        load = Load(server, 'metrics')
        before = {}

        try:
            for i in range(4):
                other = f'''
    kafka_producer other-{i} {{
        bootstrap.servers {self.broker.bootstrap};
    }}'''
                server.write(
                    kafkatest.producer(self.broker.bootstrap,
                                       f'client.id n{i}') + other, SERVER)
                server.reload()

                for _ in range(20):
                    now = Scrape(server).counters()
                    for key, value in before.items():
                        if ('producer', 'main') in key:
                            self.assertGreaterEqual(now[key], value, key)
                    before = now
        finally:
            load.stop()

        self.assertEqual(load.answers, {200: load.sent})
        now = self.counted(server, load.sent)
        self.assertEqual(now.get('kafka_messages_acknowledged_total'),
                         load.sent)
        wait_for(lambda: Scrape(server).get('kafka_workers') == 2,
                 what='old workers have gone')
        self.assertEqual(
            {w['pid'] for w in server.get('/status').json['workers']},
            set(server.worker_pids()))

        # what is not configured any more is not shown

        self.assertEqual(set(server.get('/status').json['producers']),
                         {'main', 'other-3'})

    def test_killed_workers(self):
        server = self.serve(workers=2)
        sent = 0

        for _ in range(3):
            for _ in range(20):
                self.assertEqual(server.get('/produce/metrics/m').status, 200)
            sent += 20
            self.counted(server, sent)

            victims = server.worker_pids()
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            wait_for(lambda: len(new := server.worker_pids()) == 2
                     and not set(victims) & set(new), what='new workers')
            self.addCleanup(self.forget_crashes, server)

            for _ in range(2):
                now = Scrape(server)
                self.assertEqual(
                    now.get('kafka_messages_acknowledged_total'), sent)
                self.assertEqual(
                    now.get('kafka_requests_total', status='200'), sent)

            self.assertEqual(
                {w['pid'] for w in server.get('/status').json['workers']},
                set(server.worker_pids()))

    def forget_crashes(self, server):
        with open(server.log_path, 'r+', encoding='utf-8') as f:
            lines = [line for line in f
                     if 'exited on signal 9' not in line]
            f.seek(0)
            f.truncate()
            f.writelines(lines)

    def test_acknowledgement_after_an_idle_time(self):
        """It takes no longer than the requests, without the time between."""

        server = self.serve(workers=1)
        took = 0
        for _ in range(3):
            time.sleep(0.5)     # idle
            start = time.monotonic()
            self.assertEqual(server.get('/produce/metrics/m').status, 200)
            took += time.monotonic() - start
        self.assertLessEqual(
            self.counted(server, 3).get('kafka_acknowledgement_seconds_sum'),
            took)

    def test_gauges_of_a_killed_worker_go(self):
        server = self.serve(workers=1)
        self.assertEqual(server.get('/produce/metrics/warm').status, 200)
        self.broker.command('rtt 1 3000')

        with server.connect() as s:
            s.sendall(b'GET /produce/metrics/m HTTP/1.1\r\nHost: a\r\n\r\n')
            wait_for(lambda: Scrape(server).get('kafka_requests_waiting') == 1,
                     what='it waits')
            victim, = server.worker_pids()
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: server.worker_pids() not in ([], [victim]),
                     what='a new worker')

        now = Scrape(server)
        self.assertEqual(now.get('kafka_requests_waiting'), 0)
        self.assertEqual(now.get('kafka_messages_pending'), 0)
        self.assertEqual(now.samples[('kafka_memory_bytes',)], 0)
        self.assertEqual(now.get('kafka_messages_acknowledged_total'), 1)
        self.forget_crashes(server)

    @kafkatest.unittest.skipIf(kafkatest.SANITIZER, 'nginx gives the new '
                               'master no environment for it')
    def test_upgrade(self):
        """Two masters: each has a zone of its own."""

        server = self.start(kafkatest.Daemon(
            kafkatest.producer(self.broker.bootstrap), SERVER))
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        self.counted(server, 1)
        self.assertEqual(server.upgrade(), 0)
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        self.counted(server, 1)

    # brokers

    def test_brokers(self):
        broker = self.mock(2)
        broker.command('topic metrics 4')
        broker.command('leader metrics 0 1')
        broker.command('leader metrics 1 2')
        server = self.nginx(kafkatest.producer(
            broker.bootstrap, 'statistics.interval.ms 200'), SERVER, workers=2)

        for i in range(40):
            self.assertEqual(server.get(
                f'/produce/metrics/m?key={i}').status, 200)

        def both():
            found = server.get('/status').json['producers']['main']['brokers']
            return (len(found) == 2 and all(
                b['workers_up'] > 0 and 'round_trip_seconds' in b
                and b['bytes_sent'] for b in found) and found)

        found = wait_for(both, what='two brokers')
        self.assertEqual({b['id'] for b in found}, {1, 2})
        self.assertEqual({b['broker'] for b in found},
                         set(broker.bootstrap.split(',')))

        now = Scrape(server)
        sent = now.named('kafka_broker_sent_bytes_total')
        self.assertEqual(len(sent), 2)

        # another generation of clients begins at 0, and its sums do not

        server.reload()
        wait_for(lambda: Scrape(server).get('kafka_workers') == 2,
                 what='old workers have gone')
        now = Scrape(server)
        for key, value in sent.items():
            self.assertGreaterEqual(now.samples[key], value)

    def test_a_broker_that_left(self):
        """It is not down, and what it got is still counted."""

        server = self.serve('statistics.interval.ms 100')
        left = {'broker': self.broker.bootstrap, 'node_id': '1'}
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        wait_for(lambda: Scrape(server).get('kafka_broker_up', **left),
                 what='statistics')

        other = self.mock()
        other.command('topic metrics 4')
        server.write(kafkatest.producer(other.bootstrap,
                                        'statistics.interval.ms 100'), SERVER)
        server.reload()
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        wait_for(lambda: Scrape(server).get('kafka_workers') == 1
                 and Scrape(server).get('kafka_broker_up', node_id='1',
                                        broker=other.bootstrap),
                 what='statistics of the other')

        now = Scrape(server)
        self.assertEqual([dict(key[1:])['broker'] for key in
                          now.named('kafka_broker_up')], [other.bootstrap])
        self.assertGreater(now.get('kafka_broker_sent_bytes_total', **left), 0)
        gone, = [broker for broker in
                 server.get('/status').json['producers']['main']['brokers']
                 if broker['broker'] == left['broker']]
        self.assertEqual((gone['workers_up'], gone['states']), (0, {}))

    @unittest.skipIf(kafkatest.SANITIZER, 'it wants to be loaded first')
    def test_brokers_that_change_their_names(self):
        """What librdkafka goes on to count under another name, or for two of
        one name that become one, is counted once."""

        server = self.serve('statistics.interval.ms 50')
        told = os.path.join(server.dir, 'statistics')
        preloaded = self.preload('statistics.c', f'-DFILE_NAME="{told}"')
        server.stop()
        times = itertools.count(1)

        def broker(name, number, sent, connects):
            return {'nodename': name, 'nodeid': number, 'state': 'UP',
                    'source': 'learned' if number > 0 else 'configured',
                    'rxbytes': 5, 'waitresp_cnt': 0, 'txbytes': sent,
                    'txretries': 0, 'req_timeouts': 0, 'connects': connects,
                    'disconnects': 0,
                    'rtt': {'p99': 1, 'cnt': 1}}

        def sums(*brokers):
            seconds = next(times)
            for b in brokers:
                b['rtt']['avg'] = seconds * 1000000
            text = json.dumps({'brokers': {str(i): b for i, b in
                                           enumerate(brokers)}})
            with open(f'{told}.new', 'w', encoding='ascii') as f:
                f.write(text)
            os.rename(f'{told}.new', told)
            names = {b['nodename'] for b in brokers}

            def shown():
                all_of = server.get('/status').json['producers']['main']
                if {(name, seconds) for name in names} == {
                        (b['broker'], b['round_trip_seconds']['average'])
                        for b in all_of['brokers'] if b['workers_up']}:
                    return (sum(b['bytes_sent'] for b in all_of['brokers']),
                            sum(b['connects'] for b in all_of['brokers']))
                return None

            return shown

        def check(expected, *brokers):
            shown = sums(*brokers)
            wait_for(lambda: shown() == expected,
                     what=f'{expected}, not {shown()}')

        with preloaded:
            server.start()

        check((1000, 20), broker('a:1', 1, 1000, 20))
        check((1100, 21), broker('b:1', 1, 1100, 21))
        check((1200, 21), broker('a:1', 1, 1200, 21))
        check((1700, 22), broker('a:1', 1, 1200, 21), broker('a:1', -1, 500, 1))
        check((1700, 22), broker('a:1', 1, 1300, 21))
        check((1800, 22), broker('a:1', 1, 1400, 21))

    # health

    def healthy(self, server):
        return server.get('/health').status == 200

    def test_health(self):
        server = self.serve()
        wait_for(lambda: self.healthy(server), 3, 'a broker is up')

        for _ in range(2):
            self.broker.command('down -1')
            start = time.monotonic()
            wait_for(lambda: not self.healthy(server), 4, 'it is down')
            self.assertLess(time.monotonic() - start, 3.1)

            answer = server.get('/health')
            self.assertEqual(answer.json, {
                'status': 'down', 'producer': 'main',
                'reason': 'no broker is up, see the error log',
                'code': '_TRANSPORT'})
            self.assertEqual(answer.headers['Content-Type'],
                             'application/json')

            self.broker.command('up -1')
            wait_for(lambda: self.healthy(server), 10, 'it is up again')

    def test_health_does_not_flap(self):
        """At reloads, and where workers are killed."""

        server = self.serve(workers=2)
        wait_for(lambda: self.healthy(server), 3, 'a broker is up')
        wait_for(lambda: set(Scrape(server).named('kafka_broker_up').values())
                 == {2}, what='both workers have had statistics')
        seen = collections.Counter()
        going = True

        def probe():
            while going:
                seen[server.get('/health').status] += 1

        thread = threading.Thread(target=probe)
        thread.start()
        try:
            for _ in range(3):
                server.reload()
                time.sleep(1)   # for the new workers' statistics
        finally:
            going = False
            thread.join()

        self.assertEqual(set(seen), {200}, seen)

        killed = server.worker_pids()[0]
        server.kill_worker(killed)
        wait_for(lambda: len(new := server.worker_pids()) == 2
                 and killed not in new, what='a new worker')
        for _ in range(100):
            self.assertTrue(self.healthy(server))

    def test_health_of_brokers_that_come_later(self):
        self.broker.command('down -1')
        server = self.serve()
        wait_for(lambda: '"code"' in server.get('/health').body.decode(),
                 what='the brokers are known to be down')
        self.assertEqual(server.get('/health').status, 503)
        self.broker.command('up -1')
        wait_for(lambda: self.healthy(server), 10, 'it is up')

    def test_health_of_a_broker_that_hangs(self):
        """librdkafka takes it for one that is up, for a minute."""

        server = self.serve('message.timeout.ms 2000',
                            'topic.metadata.refresh.interval.ms 500',
                            'statistics.interval.ms 200')
        self.assertEqual(server.get('/produce/metrics/m').status, 200)
        wait_for(lambda: self.healthy(server), 3, 'it is up')

        def states():
            main = server.get('/status').json['producers']['main']
            return [b['states'] for b in main['brokers'] if b['id'] > 0]

        # a request for metadata, which librdkafka waits a minute for

        os.kill(self.broker.process.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: not self.healthy(server), 15, 'it is down')
            self.assertEqual(states(), [{'HANGS': 1}])
        finally:
            os.kill(self.broker.process.pid, signal.SIGCONT)

        wait_for(lambda: self.healthy(server), 15, 'it is up')

    def test_health_of_kafka(self):
        """A real one, stopped and started."""

        kafka = kafkatest.Kafka()
        self.addCleanup(kafka.stop)
        kafka.topic('health')
        server = self.nginx(kafkatest.producer(kafka.bootstrap), SERVER)

        wait_for(lambda: self.healthy(server), 10, 'it is up')
        self.assertEqual(server.get('/produce/health/m').status, 200)

        kafka.util('kill', '1')
        wait_for(lambda: not self.healthy(server), 4, 'it is down')
        kafka.util('restart', '1')
        wait_for(lambda: self.healthy(server), 20, 'it is up again')
        self.assertEqual(server.get('/produce/health/m').status, 200)

        broker, = server.get('/status').json['producers']['main']['brokers']
        self.assertEqual(broker['id'], 1)
        self.assertEqual(broker['states'], {'UP': 1})
        self.assertGreater(broker['bytes_received'], 0)
        self.assertGreater(broker['connects'], 1)

    # variables, when the log is written

    def test_access_log(self):
        server = self.serve(http='''
    log_format kafka '$status <$kafka_topic> $kafka_messages $kafka_bytes '
        '$kafka_partition $kafka_offset $kafka_parse_time $kafka_ack_time '
        '<$kafka_error>';''',
                            server=SERVER + 'access_log kafka.log kafka;')
        self.broker.command('topic one 1')

        server.get('/produce/one/1234?key=a')
        server.post('/produce', [{'topic': 'one', 'value': '1'}] * 2)
        server.post('/produce/one', '[{"value":"\\ud800"}]')
        self.broker.command('rtt 1 1000')

        with server.connect() as s:
            s.sendall(b'GET /produce/one/left HTTP/1.1\r\nHost: a\r\n\r\n')
            wait_for(lambda: Scrape(server).get('kafka_requests_waiting') == 1,
                     what='it waits')

        def lines():
            path = os.path.join(server.dir, 'kafka.log')
            with open(path, encoding='utf-8') as f:
                return [line for line in f.read().splitlines()
                        if '<one>' in line]

        wait_for(lambda: len(lines()) == 4, what='four lines')

        seconds = r'\d\.\d\d\d'
        for line, expected in zip(lines(), (
                rf'200 <one> 1 5 0 0 {seconds} {seconds} <->',
                rf'200 <one> 2 2 - - {seconds} {seconds} <->',
                r'400 <one> 0 0 - - - - <invalid JSON: lone surrogate .*>',
                rf'499 <one> 1 4 - - {seconds} {seconds} <->')):
            self.assertRegex(line, f'^{expected}$')

    # logs

    def test_debug_log(self):
        """It tells a request's way, and nothing that is in the messages."""

        server = self.serve('sasl.password planted-password',
                            'sasl.username planted-username',
                            main='error_log debug.log debug;')
        answer = server.post('/produce', [
            {'topic': 'metrics', 'key': 'planted-key',
             'value': 'planted-value',
             'headers': [{'key': 'planted-name', 'value': 'planted-header'}]}])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(server.post('/produce/metrics', '[{"value": 1, '
                                     '"key": "planted-key"}]').status, 400)
        self.counted(server, 2)

        with open(os.path.join(server.dir, 'debug.log'),
                  encoding='utf-8') as f:
            log = f.read()

        for step in (r'route 0, topic ""', r'body piece of \d+ bytes',
                     r'1 messages', r'1 topics are looked up',
                     r'topic "metrics" was looked up: 0',
                     r'1 records wait for their turn',
                     r'done, 1 of 1 messages acknowledged',
                     r'answered with 200', r'route 1, topic "metrics"',
                     r'refused with 400'):
            self.assertRegex(log, f'kafka: batch [0-9A-F]+: {step}')

        # one batch, one name: its way can be followed

        first = re.search(r'kafka: batch ([0-9A-F]+): route 0', log).group(1)
        self.assertRegex(log, f'kafka: batch {first}: done')
        self.assertNotIn('planted', log)

    def test_levels_of_librdkafka(self):
        server = self.nginx('''
    kafka_producer noted {
        test.mock.num.brokers 1;
        socket.blocking.max.ms 100;
    }''', 'location /produce { kafka_produce noted; }')

        wait_for(lambda: 'CONFWARN' in server.log(), what='a warning')
        self.assertRegex(server.log(), r'\[warn\] \d+#\d+: kafka producer '
                                       r'"noted": CONFWARN: ')
        self.assertRegex(server.log(), r'\[notice\] \d+#\d+: kafka producer '
                                       r'"noted": librdkafka\'s mock cluster ')

    def test_lines_below_the_level_of_the_log(self):
        """Repeats that error_log leaves out do not use up the lines of a
        second."""

        cluster = self.mock(BROKERS)
        server = self.start(Warn(
            kafkatest.producer(cluster.bootstrap,
                               'enable.sparse.connections false',
                               'statistics.interval.ms 50'), SERVER))
        wait_for(lambda: sum(Scrape(server).named('kafka_broker_up').values())
                 >= BROKERS, what='all brokers are up')
        cluster.stop()
        wait_for(lambda: '_ALL_BROKERS_DOWN: ' in server.log(),
                 what='all brokers are down')

    def test_rate_of_librdkafka(self):
        server = self.serve('debug all', main='error_log debug.log debug;')

        def log():
            with open(os.path.join(server.dir, 'debug.log'),
                      encoding='utf-8') as f:
                return f.read()

        load = Load(server, 'metrics', clients=2)
        try:
            wait_for(lambda: len(re.findall('lines were not logged', log()))
                     >= 2, 15, 'lines are left out')
        finally:
            load.stop()

        seconds = collections.Counter(re.findall(
            r'^(\S+ \S+) \[debug\] .*: kafka producer "main": [A-Z_]+: ',
            log(), re.M))
        self.assertTrue(seconds)

        # a window of a second touches two of them

        self.assertLessEqual(max(seconds.values()), 20, seconds)
        self.assertRegex(log(), r'\[warn\] .*kafka producer "main": \d+ lines '
                                r'were not logged')


if __name__ == '__main__':
    kafkatest.unittest.main()
