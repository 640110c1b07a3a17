#!/usr/bin/python3
"""Certificates, keys and lists of revoked ones, for TLS to the brokers: they are
those of the last reload, whatever becomes of the files.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest
from kafkatest import wait_for


KEY = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'

# for "openssl ca", which makes lists of revoked certificates

CA = '''
[ca]
default_ca = this
[this]
database = index
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 30
'''


def openssl(folder, *commands):
    for command in commands:
        subprocess.run(['openssl', *command.split()], cwd=folder, check=True,
                       capture_output=True)


def join(*paths):
    content = b''
    for path in paths:
        with open(path, 'rb') as f:
            content += f.read()
    return content


class Certificates(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='certificates-')
        cls.addClassCleanup(shutil.rmtree, cls.dir)

        with open(f'{cls.dir}/properties', 'w', encoding='ascii') as f:
            f.write('listener.name.ssl.ssl.client.auth=required\n')

        os.environ['KAFKA_PROPS'] = f.name
        cls.addClassCleanup(os.environ.pop, 'KAFKA_PROPS')

        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.topic('t')
        cls.tls = os.path.join(cls.kafka.dir, 'tls')
        cls.make_files()

    @classmethod
    def make_files(cls):
        """By the CA that Kafka trusts, `good`, and by another one, `bad`: an
        intermediate one signs the client's certificate.  librdkafka does not
        send those of a keystore, which has one signed by the CA itself.
        """

        openssl(cls.dir, f'req -x509 {KEY} -days 30 -subj /CN=other'
                         ' -keyout other.key -out other.pem')

        with open(f'{cls.dir}/ca.ext', 'w', encoding='ascii') as f:
            f.write('basicConstraints=critical,CA:TRUE')

        for name, ca in ('good', f'{cls.tls}/ca'), ('bad', 'other'):
            openssl(
                cls.dir,
                f'req {KEY} -subj /CN=between -keyout between.key'
                ' -out between.csr',
                f'x509 -req -in between.csr -CA {ca}.pem -CAkey {ca}.key'
                ' -CAcreateserial -days 30 -extfile ca.ext -out between.pem',
                f'req {KEY} -subj /CN={name} -keyout {name}.key'
                f' -out {name}.csr',
                f'x509 -req -in {name}.csr -CA between.pem -CAkey between.key'
                f' -CAcreateserial -days 30 -out {name}.leaf',
                f'x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key'
                f' -CAcreateserial -days 30 -out {name}.direct',
                f'pkcs12 -export -in {name}.direct -inkey {name}.key'
                f' -passout pass:p -out {name}.p12')

            with open(f'{cls.dir}/{name}.pem', 'wb') as f:
                f.write(join(f'{cls.dir}/{name}.leaf',
                             f'{cls.dir}/between.pem'))

        for name in 'ca.pem', 'ca.key':
            shutil.copy(f'{cls.tls}/{name}', cls.dir)
        with open(f'{cls.dir}/ca.cnf', 'w', encoding='ascii') as f:
            f.write(CA)
        with open(f'{cls.dir}/index', 'w', encoding='ascii'):
            pass

        openssl(cls.dir, 'ca -config ca.cnf -gencrl -out good.crl',
                f'ca -config ca.cnf -revoke {cls.tls}/broker.pem',
                'ca -config ca.cnf -gencrl -out bad.crl')

    def put(self, server, files):
        """As who renews does it: another file takes the place of the old."""

        for name, source in files.items():
            path = os.path.join(server.dir, name)
            shutil.copy(os.path.join(self.dir, source), path + '.new')
            os.chmod(path + '.new', 0o600)
            os.rename(path + '.new', path)

    def serve(self, files, *properties):
        """Names that are relative, files that only root can read."""

        server = kafkatest.Nginx(
            kafkatest.producer(self.kafka.addresses('ssl'),
                               'security.protocol ssl',
                               'message.timeout.ms 4000', *properties),
            'location /produce { kafka_produce main; }', user='nobody nogroup')
        self.put(server, files)
        return self.start(server)

    def kill_worker(self, server):
        old, = server.worker_pids()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: len(new := server.worker_pids()) == 1 and new != [old],
                 what='another worker')

        # nginx calls that an alert

        with open(server.log_path, encoding='utf-8') as f:
            lines = f.readlines()
        with open(server.log_path, 'w', encoding='utf-8') as f:
            f.writelines(line for line in lines
                         if f'{old} exited on signal 9' not in line)

    def assertServes(self, server):
        answer = server.get('/produce/t/m')
        self.assertEqual(answer.status, 200, answer)

    def assertRefused(self, server):
        answer = server.get('/produce/t/m')
        self.assertEqual(answer.status, 503, answer)
        self.assertIn('TLS', answer.json['error'])

    def check(self, good, bad, *properties):
        """Files that are `bad` count from a reload on, and not before."""

        server = self.serve(good, *properties)
        self.assertServes(server)

        self.put(server, bad)
        self.kill_worker(server)
        self.assertServes(server)

        server.reload()
        self.assertRefused(server)

        self.put(server, good)
        self.kill_worker(server)
        self.assertRefused(server)

        server.reload()
        self.assertServes(server)

        for secret in 'PRIVATE KEY', '/proc/self':
            self.assertNotIn(secret, server.log())

    def test_certificate_and_key(self):
        """With the chain that leads to the CA, which Kafka needs."""

        self.check({'c.pem': 'good.pem', 'c.key': 'good.key'},
                   {'c.pem': 'bad.pem', 'c.key': 'bad.key'},
                   f'ssl.ca.location {self.tls}/ca.pem',
                   'ssl.certificate.location c.pem', 'ssl.key.location c.key')

    def test_keystore(self):
        self.check({'c.p12': 'good.p12'}, {'c.p12': 'bad.p12'},
                   f'ssl.ca.location {self.tls}/ca.pem',
                   'ssl.keystore.location c.p12', 'ssl.keystore.password p')

    def test_ca(self):
        self.check({'ca.pem': 'ca.pem', 'c.p12': 'good.p12'},
                   {'ca.pem': 'other.pem'}, 'ssl.ca.location ca.pem',
                   'ssl.keystore.location c.p12', 'ssl.keystore.password p')

    def test_revoked(self):
        self.check({'crl.pem': 'good.crl', 'c.p12': 'good.p12'},
                   {'crl.pem': 'bad.crl'}, 'ssl.crl.location crl.pem',
                   f'ssl.ca.location {self.tls}/ca.pem',
                   'ssl.keystore.location c.p12', 'ssl.keystore.password p')

    def test_half_renewed(self):
        """A reload between the two files is refused, and changes nothing."""

        server = self.serve({'c.pem': 'good.pem', 'c.key': 'good.key'},
                            f'ssl.ca.location {self.tls}/ca.pem',
                            'ssl.certificate.location c.pem',
                            'ssl.key.location c.key')
        self.assertServes(server)
        self.put(server, {'c.key': 'bad.key'})
        server.kill(signal.SIGHUP)
        wait_for(lambda: 'cannot be made' in server.log(), what='a refusal')
        self.kill_worker(server)
        self.assertServes(server)

        # that line is as it should be

        with open(server.log_path, 'w', encoding='ascii'):
            pass


class NoFile(kafkatest.TestCase):
    """nginx -t must not wait for what nobody writes, or read without end."""

    def test_no_file(self):
        server = kafkatest.Nginx(kafkatest.producer('127.0.0.1:9'), '')
        self.addCleanup(shutil.rmtree, server.dir)
        fifo = os.path.join(server.dir, 'fifo')
        os.mkfifo(fifo)
        large = os.path.join(server.dir, 'large')
        with open(large, 'wb') as f:
            f.truncate(17 << 20)

        for path, text in ((fifo, 'is not a file'), ('/dev/zero', 'is not a '
                           'file'), (large, 'is larger than')):
            server.write(kafkatest.producer(
                '127.0.0.1:9', f'ssl.ca.location {path}'), '')
            done = subprocess.run([*server.command(), '-t'], timeout=20,
                                  capture_output=True, text=True, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr,
                             rf'"{re.escape(path)}" {text}.* in .*:\d+')


if __name__ == '__main__':
    kafkatest.unittest.main()
