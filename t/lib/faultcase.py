"""Base classes of the tests of faults."""

import os
import subprocess
import tempfile
import time

import kafkatest
from kafkatest import wait_for


class FaultCase(kafkatest.TestCase):
    def assertRefused(self, answer, status, persisted=None, code=None):
        """Checks an error response, with `persisted` and `code` of results."""

        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.json['status'], status)
        self.assertTrue(answer.json['error'])

        if status == 503:
            self.assertGreater(int(answer.headers['Retry-After']), 0)

        results = answer.json.get('results', [])
        if persisted is None:
            self.assertEqual(results, [])
        else:
            self.assertEqual({r['persisted'] for r in results}, {persisted})
        if code is not None:
            self.assertEqual({r['code'] for r in results}, {code})

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def other_ca(self):
        """Returns a folder with a CA that has signed no certificate.

        The files are ca.pem and ca.key.
        """

        folder = self.folder()
        os.chmod(folder, 0o755)
        openssl(folder, 'req -x509 -newkey ec -pkeyopt'
                ' ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=other'
                ' -keyout ca.key -out ca.pem')
        return folder

    def truncate_log(self, server, *expected):
        """Clears the log, whose expected errors would fail the test."""

        for text in expected:
            self.assertIn(text, server.log())
        with open(server.log_path, 'w', encoding='ascii'):
            pass

    def assertIdle(self, server, share=0.05):
        pid, = server.worker_pids()
        before = kafkatest.cpu_seconds(pid)
        time.sleep(2)           # the interval of the measurement
        self.assertLess(kafkatest.cpu_seconds(pid) - before, 2 * share)


class MockCase(FaultCase):
    brokers = 1

    def setUp(self):
        self.broker = self.mock(self.brokers)
        self.broker.command('topic t 1')

    def serve(self, *properties, http='', **kwargs):
        return self.nginx(
            kafkatest.producer(self.broker.bootstrap, *properties) + http,
            **kwargs)

    def warm(self, server, topic='t'):
        answer = server.get(f'/produce/{topic}/warm')
        self.assertEqual(answer.status, 200, answer)

    def values(self, topic='t'):
        return [r.value.decode() for r in
                kafkatest.read_topic(self.broker.bootstrap, topic)
                if r.value != b'warm']

    def slow(self, milliseconds):
        self.broker.command(f'rtt -1 {milliseconds}')

    def wait_for_acknowledged(self, server, count):
        """Waits until `count` messages are acknowledged and none is pending."""

        def main():
            status = server.status()
            return (status['messages_acknowledged'], status['messages_unsent'],
                    status['messages_pending'])

        wait_for(lambda: main() == (count, 0, 0),
                 what=f'{count} messages are acknowledged')


def openssl(folder, *commands):
    for command in commands:
        subprocess.run(['openssl', *command.split()], cwd=folder, check=True,
                       capture_output=True)
