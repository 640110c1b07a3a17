#!/usr/bin/python3
"""A real Kafka's security, replicas and topics."""

import itertools
import os
import subprocess
import sys
import time
import unittest

import confluent_kafka
import confluent_kafka.admin

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from faultcase import FaultCase, openssl
from kafkatest import wait_for
from life import Waiting
from proxy import Proxy


class RealCase(FaultCase):
    def serve(self, listener, *properties):
        """A short deadline, as most of these tests wait for it."""

        return self.nginx(kafkatest.producer(
            self.kafka.addresses(listener), 'message.timeout.ms 2000',
            *properties))

    def read(self, topic):
        return [r.value.decode() for r in
                kafkatest.read_topic(self.kafka.bootstrap, topic)]

    def check_kept_out(self, server, topic, *patterns, secret='-secret',
                       told='', share=0.05):
        """One clear line in the log; a 503 in time; no secret; no flood."""

        for _ in range(2):
            start = time.monotonic()
            answer = server.get(f'/produce/{topic}/m')
            self.assertRefused(answer, 503)
            self.assertLess(time.monotonic() - start, 4.5)
            self.assertNotIn(secret, answer.body.decode())
            self.assertIn(told, answer.json['error'])

        self.assertIdle(server, share)          # seconds, for a flood
        log = server.log()
        errors = [line for line in log.splitlines() if '[error]' in line]
        for pattern in patterns:
            self.assertRegex('\n'.join(errors), pattern)
        self.assertLess(len(errors), 8)
        self.assertLess(log.count('kafka producer'), 60)
        self.assertNotIn(secret, log)
        self.assertEqual(self.read(topic), [])


SCRAM = ('security.protocol sasl_plaintext', 'sasl.mechanism SCRAM-SHA-256',
         'sasl.username test')

SCRAM_LISTENER = '''
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
'''


def add_scram_user(kafka):
    """With Kafka's own tool, as Debian's client library cannot do it."""

    cache = os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache'))
    version = kafka.env.get('KAFKA_VERSION', '4.1.1')
    jars = kafka.env.get('KAFKA_LIB',
                         f'{cache}/ngx_http_kafka/kafka-{version}')
    subprocess.run(
        ['java', '-XX:TieredStopAtLevel=1', '-cp', f'{jars}/*',
         'kafka.admin.ConfigCommand', '--bootstrap-server', kafka.bootstrap,
         '--alter', '--add-config', 'SCRAM-SHA-256=[password=scram-secret]',
         '--entity-type', 'users', '--entity-name', 'test'],
        check=True, capture_output=True)


class OldKafka(RealCase):
    """Kafka 3.9, with SCRAM, a certificate that has expired, and a proxy
    before its plaintext listener."""

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.ConfiguredKafka(cls.prepare)
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.topic('scram')
        cls.kafka.topic('kept-out')
        add_scram_user(cls.kafka)

    @classmethod
    def prepare(cls, kafka):
        kafka.env['KAFKA_VERSION'] = '3.9.1'
        kafka.env.pop('KAFKA_LIB', None)        # those of the other version
        tls = os.path.join(kafka.dir, 'tls')
        key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        os.mkdir(tls)
        with open(os.path.join(tls, 'names'), 'w', encoding='ascii') as f:
            f.write('subjectAltName=IP:127.0.0.1')
        openssl(tls,
                f'req -x509 {key} -days 30 -subj /CN=ca -keyout ca.key'
                ' -out ca.pem',
                f'req {key} -subj /CN=broker -keyout broker.key'
                ' -out broker.csr',
                'x509 -req -in broker.csr -CA ca.pem -CAkey ca.key'
                ' -CAcreateserial -days 0 -extfile names -out broker.pem')
        with open(os.path.join(tls, 'broker-all.pem'), 'wb') as f:
            for name in 'broker.key', 'broker.pem':
                with open(os.path.join(tls, name), 'rb') as part:
                    f.write(part.read())

        port = int(kafka.env['KAFKA_PORT'])
        cls.proxy = Proxy(port)
        cls.addClassCleanup(cls.proxy.stop)

        return SCRAM_LISTENER + f'''
advertised.listeners=PLAINTEXT://127.0.0.1:{cls.proxy.port},\
SASL_PLAINTEXT://127.0.0.1:{port + 2},SSL://127.0.0.1:{port + 3},\
SASL_SSL://127.0.0.1:{port + 4}
'''

    def test_scram(self):
        server = self.serve('sasl', *SCRAM, 'sasl.password scram-secret')
        answer = server.get('/produce/scram/m')
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.read('scram'), ['m'])
        self.assertNotIn('-secret', server.log())

    def test_wrong_scram_password(self):
        """Each attempt hashes the password 4,096 times: milliseconds, which
        AddressSanitizer makes many.
        """

        server = self.serve('sasl', *SCRAM, 'sasl.password wr0ng-secret')
        self.check_kept_out(server, 'kept-out', '_AUTHENTICATION',
                            told='credentials', share=0.2)

    def test_expired_certificate(self):
        tls = os.path.join(self.kafka.dir, 'tls')
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {tls}/ca.pem')
        self.check_kept_out(server, 'kept-out', 'it has expired',
                            told='TLS')

    def test_answer_of_a_broker_lost(self):
        """The broker has the batch and says so, and the word does not come:
        librdkafka asks again, Kafka tells where it is, and it is there once.
        """

        self.kafka.topic('once')
        server = self.nginx(kafkatest.producer(self.kafka.bootstrap))
        self.assertEqual(server.get('/produce/once/warm').status, 200)

        log = (f'{self.kafka.dir}/node-1/data/once-0/'
               '00000000000000000000.log')

        def written():
            with open(log, 'rb') as f:
                return b'lost-' in f.read()

        self.proxy.swallow = True
        try:
            waiting = [Waiting(server, f'/produce/once/lost-{i}')
                       for i in range(10)]
            wait_for(written, what='the broker has a batch')
            wait_for(lambda: self.proxy.swallowed, what='it says so')
            server.wait_for_requests(10)
        finally:
            self.proxy.swallow = False
            self.proxy.cut()

        answers = [w.answer() for w in waiting]
        self.assertEqual([a.status for a in answers], [200] * 10)
        records = kafkatest.read_topic(self.kafka.bootstrap, 'once')
        self.assertEqual(len(records), 11)
        for i, answer in enumerate(answers):
            offset = answer.json['offset']
            if offset is not None:
                self.assertEqual(records[offset].value, b'lost-%d' % i)


class Cluster(RealCase):
    """Three nodes of the Kafka of today, TLS with a client's certificate."""

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.ConfiguredKafka(
            lambda kafka: 'listener.name.ssl.ssl.client.auth=required\n'
            + SCRAM_LISTENER, 3)
        cls.addClassCleanup(cls.kafka.stop)
        cls.tls = os.path.join(cls.kafka.dir, 'tls')
        os.chmod(cls.kafka.dir, 0o755)
        os.chmod(cls.tls, 0o755)
        cls.kafka.topic('kept-out')
        cls.admin = confluent_kafka.admin.AdminClient(
            {'bootstrap.servers': cls.kafka.bootstrap, 'log_level': 2})

    def client_certificate(self):
        return (f'ssl.certificate.location {self.tls}/client.pem',
                f'ssl.key.location {self.tls}/client.key')

    def test_mtls(self):
        self.kafka.topic('mtls')
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {self.tls}/ca.pem',
                            *self.client_certificate())
        answer = server.get('/produce/mtls/m')
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.read('mtls'), ['m'])

    def test_no_client_certificate(self):
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {self.tls}/ca.pem')
        self.check_kept_out(server, 'kept-out', 'alert .*certificate',
                            told='TLS')

    def test_wrong_ca(self):
        folder = self.other_ca()
        server = self.serve('ssl', 'security.protocol ssl',
                            f'ssl.ca.location {folder}/ca.pem',
                            *self.client_certificate())
        self.check_kept_out(server, 'kept-out', 'issuer is not trusted',
                            told='TLS')

    def test_plaintext_to_a_tls_port(self):
        server = self.serve('ssl')
        self.check_kept_out(server, 'kept-out', 'kafka producer "main": ')

    def test_wrong_password(self):
        server = self.serve('sasl', 'security.protocol sasl_plaintext',
                            'sasl.mechanism PLAIN', 'sasl.username test',
                            'sasl.password wr0ng-secret')
        self.check_kept_out(server, 'kept-out', '_AUTHENTICATION')

    @unittest.skipIf(confluent_kafka.libversion()[1] < 0x02060100,
                     'librdkafka before 2.6.1 cannot do SCRAM with Kafka 4')
    def test_scram_with_kafka_4(self):
        self.kafka.topic('scram')
        add_scram_user(self.kafka)
        server = self.serve('sasl', *SCRAM, 'sasl.password scram-secret')
        self.assertEqual(server.get('/produce/scram/m').status, 200)
        self.assertEqual(self.read('scram'), ['m'])

    def test_too_few_replicas(self):
        self.kafka.topic('strict', 1, 3, min_insync_replicas='3')
        server = self.serve('plaintext')
        self.assertEqual(server.get('/produce/strict/before').status, 200)
        self.kafka.util('kill', '3')

        try:
            # at first the cluster waits for the dead one, then gives it up

            # and finds another leader: until then the message is not sent

            fates = {}

            def refused():
                answer = server.post('/produce/strict',
                                     [{'value': str(len(fates))}])
                self.assertIn(answer.status, (503, 504), answer)
                fate = answer.json['results'][0]['persisted']
                self.assertEqual(fate, {503: 'no', 504: 'maybe'}[answer.status])
                fates[str(len(fates))] = fate
                return fate == 'maybe' and len(fates) > 2

            wait_for(refused, 25, 'it is refused by the replicas that are left')

        finally:
            self.kafka.util('restart', '3')

        wait_for(lambda: server.get('/produce/strict/after').status == 200, 30,
                 'all replicas are in sync')
        found = self.read('strict')
        self.assertIn('before', found)
        for value, fate in fates.items():
            if fate == 'no':
                self.assertNotIn(value, found)

    def test_partitions_added(self):
        self.kafka.topic('grown', 1)
        server = self.serve('plaintext')
        self.assertEqual(server.get('/produce/grown/m').status, 200)
        message = [{'value': 'v', 'partition': 2}]
        self.assertRefused(server.post('/produce/grown', message), 400)

        new = confluent_kafka.admin.NewPartitions('grown', 3)
        self.admin.create_partitions([new])['grown'].result(10)

        # the look-up knows them at once, librdkafka's producer later

        def known():
            answer = server.post('/produce/grown', message)
            if answer.status != 200:
                if answer.status == 400:
                    self.assertRefused(answer, 400)
                else:
                    self.assertRefused(answer, 503, 'no', '_UNKNOWN_PARTITION')
                time.sleep(0.2)     # the pace of the client
            return answer.status == 200

        wait_for(known, 20, 'the new partitions are known')
        self.assertEqual(self.read('grown'), ['m', 'v'])

    def test_topic_created_anew_with_fewer_partitions(self):
        self.kafka.topic('anew', 3)
        server = self.serve('plaintext')
        messages = [{'value': str(i), 'partition': i} for i in range(3)]
        self.assertEqual(server.post('/produce/anew', messages).status, 200)

        self.admin.delete_topics(['anew'])['anew'].result(10)
        wait_for(lambda: 'anew' not in
                 self.admin.list_topics(timeout=10).topics, 10, 'it is gone')

        number = itertools.count()
        acked, absent = [], set()

        def status(topic, *partitions):
            values = [f'{next(number)}-{i}' for i in partitions]
            answer = server.post(f'/produce/{topic}', [
                {'value': v, 'partition': i}
                for v, i in zip(values, partitions)])

            # it goes partition by partition

            results = answer.json
            if answer.status != 200:
                results = answer.json.get('results',
                                          [{'persisted': 'no'}] * len(values))
            for value, result in zip(values, results):
                if 'offset' in result:
                    acked.append(value)
                elif result['persisted'] == 'no':
                    absent.add(value)
            if answer.status == 503:
                self.assertTrue(absent.intersection(values), answer)
            return answer.status

        def check(topic):
            found = self.read(topic)
            self.assertEqual(absent & set(found), set())
            self.assertEqual(found, acked[-1:])

        wait_for(lambda: status('anew', 0, 1, 2) == 404, 15, 'it is not found')
        self.kafka.topic('anew', 1)
        wait_for(lambda: status('anew', 0) == 200, 15, 'it is found')
        self.assertEqual(status('anew', 0, 1, 2), 400)
        check('anew')

        # at once: the module meets the new one while it knows the old one

        self.kafka.topic('swapped', 3)
        self.assertEqual(status('swapped', 0, 1, 2), 200)
        self.admin.delete_topics(['swapped'])['swapped'].result(10)
        wait_for(lambda: 'swapped' not in
                 self.admin.list_topics(timeout=10).topics, 10, 'it is gone')
        self.kafka.topic('swapped', 1)

        wait_for(lambda: status('swapped', 2) == 400, 15,
                 'the partition is known to be gone')
        wait_for(lambda: status('swapped', 0) == 200, 15, 'the topic is well')
        check('swapped')


class Refusing(kafkatest.TestCase):
    """A broker refuses a request that is too large for it by closing the
    connection."""

    def test_a_request_that_a_broker_hangs_up_on(self):
        """It fails alone: others go on, and all are acknowledged."""

        kafka = kafkatest.ConfiguredKafka(
            lambda kafka: 'socket.request.max.bytes=300000\n')
        self.addCleanup(kafka.stop)
        kafka.topic('large')
        kafka.topic('small')
        server = self.nginx(kafkatest.producer(
            kafka.bootstrap, 'message.timeout.ms 3000'))
        for topic in 'large', 'small':
            self.assertEqual(
                server.get(f'/produce/{topic}/warm').status, 200)

        load = kafkatest.Load(server, 'small', clients=3)
        load.wait_for_more(50)
        waiting = Waiting(server, '/produce/large',
                          '{"value":"%s"}' % ('x' * 500000))
        wait_for(lambda: 'Disconnected' in server.log(),
                 what='the broker hangs up')
        load.wait_for_more(500)
        self.assertFalse(waiting.future.done())
        answer = waiting.answer()
        load.stop()

        self.assertIn(answer.status, (503, 504), answer)
        self.assertEqual(set(load.answers), {200})
        self.assertEqual(server.get('/produce/large/after').status, 200)
        values = [r.value for r in
                  kafkatest.read_topic(kafka.bootstrap, 'large')]
        self.assertEqual(values, [b'warm', b'after'])


if __name__ == '__main__':
    kafkatest.unittest.main()
