"""Code that the tests of docs/recipes share: recipes in nginx, certificates.

A recipe runs as documented, except for the changes that a test machine needs:
substitutions() has the list.
"""

import base64
import glob
import http.client
import os
import re
import shutil
import ssl
import subprocess
import tempfile

import kafkatest


RECIPES = os.path.join(kafkatest.ROOT, 'docs/recipes')
BROKERS = 'kafka-1.example.com:9092,kafka-2.example.com:9092'


def documented(name):
    with open(os.path.join(RECIPES, name), encoding='utf-8') as f:
        return f.read()


class Recipe(kafkatest.Nginx):
    """nginx with a recipe as its configuration.

    `brokers` replaces the recipe's kafka-1 and kafka-2.  `changes` are
    replacements for this recipe only: a dictionary of old and new text.  The
    recipe must contain each old text.
    """

    tls = None                  # a context, if the first port has TLS
    source = '127.0.0.1'        # the client's address
    hostname = None             # the name to check in the certificate

    def __init__(self, name, brokers=None, changes=None):
        self.name = name
        self.brokers = brokers
        self.changes = changes or {}
        self.ports = {}
        super().__init__('', '', workers=os.sysconf('SC_NPROCESSORS_ONLN'))
        os.chmod(self.dir, 0o755)       # workers run as the recipe's user

    def write(self, http_block, server):
        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write(self.substitute(documented(self.name)))

        self.port = next(iter(self.ports.values()))

    def substitute(self, text):
        for pattern, new in self.substitutions():
            if not re.search(pattern, text):
                raise ValueError(f'{self.name} has no {pattern}')
            text = re.sub(pattern, new, text)

        return text

    def substitutions(self):
        """Returns pairs of a regular expression and its replacement."""

        load = '\n'.join(f'load_module {os.path.abspath(m)};'
                         for m in kafkatest.MODULES.split())
        temp = ''.join(f'\n    {name}_temp_path {self.dir}/{name};' for name in
                       ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))

        changes = {
            'load_module modules/ngx_http_kafka_module.so;': load,
            '/run/nginx.pid': f'{self.dir}/nginx.pid',
            '/var/log/nginx/': f'{self.dir}/',
        }

        if '/etc/nginx/' in documented(self.name):
            changes['/etc/nginx/'] = f'{self.dir}/'

        if self.brokers:
            changes[BROKERS] = self.brokers

        changes.update(self.changes)

        return [(r'\bhttp \{', f'http {{{temp}'),
                (r'(?<=\blisten)(\s+)(?:127\.0\.0\.1:)?(\d+)', self.listen_on),
                *((re.escape(old), new) for old, new in changes.items())]

    def listen_on(self, match):
        """Replaces a port of the recipe, such as 443, with self.ports[443]."""

        port = self.ports.setdefault(int(match[2]), kafkatest.free_port())
        return f'{match[1]}127.0.0.1:{port}'

    def command(self):
        return [*super().command(), '-g', f'daemon {self.daemon};']

    def put(self, name, text, mode=0o644):
        """Creates a file of /etc/nginx for the recipe; returns its path."""

        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)

        with open(path, 'w', encoding='utf-8') as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)

        return path

    def request(self, method, target, body=None, headers=None, timeout=20,
                port=None):
        where = {'host': self.hostname or '127.0.0.1',
                 'port': self.ports[port] if port else self.port,
                 'timeout': timeout, 'source_address': (self.source, 0)}

        if self.tls:
            conn = http.client.HTTPSConnection(**where, context=self.tls)
        else:
            conn = http.client.HTTPConnection(**where)

        try:
            if isinstance(body, str):
                body = body.encode()
            conn.request(method, target, body, headers or {})
            answer = conn.getresponse()
            return kafkatest.Response(answer.status, answer.headers,
                                      answer.read())
        finally:
            conn.close()


class Authority:
    """A CA.  Certificates and keys are NAME.pem and NAME.key in its folder."""

    def __init__(self, common_name='ca'):
        self.dir = tempfile.mkdtemp(prefix='ca-')
        self.run('req', '-x509', '-days', '30', '-subj', f'/CN={common_name}',
                 '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
                 '-keyout', self.path('ca.key'), '-out', self.path('ca.pem'),
                 *self.new_key)

    new_key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
               '-nodes')

    def run(self, *args):
        return subprocess.run(['openssl', *args], check=True,
                              capture_output=True).stdout

    def path(self, name):
        return os.path.join(self.dir, name)

    def text(self, name):
        with open(self.path(name), encoding='ascii') as f:
            return f.read()

    def sign(self, name, subject, extension):
        """Creates a certificate and its key; returns the paths of both."""

        pem, key, request = (self.path(name + end)
                             for end in ('.pem', '.key', '.csr'))
        extensions = self.path(name + '.ext')

        with open(extensions, 'w', encoding='ascii') as f:
            f.write(extension)

        self.run('req', '-subj', subject, '-keyout', key, '-out', request,
                 *self.new_key)
        self.run('x509', '-req', '-in', request, '-days', '30',
                 '-CA', self.path('ca.pem'), '-CAkey', self.path('ca.key'),
                 '-CAcreateserial', '-extfile', extensions, '-out', pem)

        return pem, key

    def serve(self, *names):
        """Creates a server certificate with these names; returns its paths."""

        names = ','.join(['IP:127.0.0.1', *(f'DNS:{n}' for n in names)])
        return self.sign('server', '/CN=server', f'subjectAltName={names}')

    def context(self, *client):
        """Returns a client's TLS context that trusts this CA.

        `client` may be the client's own certificate and key.
        """

        context = ssl.create_default_context(cafile=self.path('ca.pem'))
        if client:
            context.load_cert_chain(*client)
        return context

    def stop(self):
        shutil.rmtree(self.dir)


def basic(user, password):
    """Returns the Authorization header of a request."""

    pair = base64.b64encode(f'{user}:{password}'.encode()).decode()
    return {'Authorization': f'Basic {pair}'}


def hashed(user, password):
    """Returns a line of a password file, made as documented."""

    done = subprocess.run(['openssl', 'passwd', '-apr1', password],
                          stdout=subprocess.PIPE, check=True, text=True)
    return f'{user}:{done.stdout}'


def files():
    """Returns the files of docs/recipes that nginx or another program reads."""

    found = glob.glob('**', root_dir=RECIPES, recursive=True)

    return {name for name in found if not name.endswith('.md')
            and os.path.isfile(os.path.join(RECIPES, name))}
