"""Controls a headless Chromium with chromedriver (W3C WebDriver).

Requires Debian's packages chromium and chromium-driver.
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading

import kafkatest


ARGUMENTS = (
    '--headless=new',
    '--no-sandbox',             # needed by root; only our own pages are loaded
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--disable-extensions',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--no-default-browser-check',
    '--no-proxy-server',
    '--renderer-process-limit=2',
    '--js-flags=--max-old-space-size=128',
)


class Chromium:
    """A browser with one tab.

    `hosts` maps names to ports of 127.0.0.1: {"app.example.com": 12345}.  No
    other name can be resolved.  `certificates` are files with the certificates
    of the servers, which the browser trusts.
    """

    def __init__(self, hosts=None, certificates=(), arguments=()):
        self.dir = tempfile.mkdtemp(prefix='chromium-')
        self.port = kafkatest.free_port()
        self.session = None

        # a process group of its own, so that stop() ends all of the browser's
        # processes

        with open(os.path.join(self.dir, 'log'), 'wb') as log:
            self.driver = subprocess.Popen(
                ['chromedriver', f'--port={self.port}', '--allowed-ips='],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                env={**os.environ, 'HOME': self.dir, 'TMPDIR': self.dir})

        try:
            kafkatest.wait_for(self.ready, 30, 'chromedriver starts')
            self.session = self.start([*ARGUMENTS, *arguments,
                                       rules(hosts or {}),
                                       trust(certificates)])
        except BaseException:
            self.stop()
            raise

    def ready(self):
        try:
            return self.command('GET', '/status')['ready']
        except OSError:
            return False

    def start(self, arguments):
        arguments.append(f'--user-data-dir={self.dir}/profile')

        answer = self.command('POST', '/session', {'capabilities': {
            'alwaysMatch': {
                'browserName': 'chrome',
                'timeouts': {'script': 30000, 'pageLoad': 30000},
                'goog:loggingPrefs': {'browser': 'ALL'},
                'goog:chromeOptions': {'binary': shutil.which('chromium'),
                                       'args': arguments}}}})

        return f'/session/{answer["sessionId"]}'

    def command(self, method, path, body=None):
        conn = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)

        try:
            conn.request(method, path, None if body is None
                         else json.dumps(body))
            answer = conn.getresponse()
            value = json.loads(answer.read())['value']
        finally:
            conn.close()

        if answer.status != 200:
            raise RuntimeError(f'{path}: {value["error"]}: {value["message"]}')

        return value

    def open(self, url):
        self.command('POST', self.session + '/url', {'url': url})

    def run(self, script, *args):
        """Runs an async function with this body in the page.

        Returns its result.
        """

        return self.command('POST', self.session + '/execute/sync', {
            'script': f'return (async () => {{ {script} }})()', 'args': args})

    def close_tab(self):
        """Replaces the tab with an empty one."""

        tab = self.command('POST', self.session + '/window/new',
                           {'type': 'tab'})['handle']
        self.command('DELETE', self.session + '/window')
        self.command('POST', self.session + '/window', {'handle': tab})

    def console(self):
        """Returns the lines of the console since the last call."""

        return [line['message'] for line in self.command(
            'POST', self.session + '/se/log', {'type': 'browser'})]

    def screenshot(self):
        """Returns a picture of the window as a PNG."""

        return base64.b64decode(self.command(
            'GET', self.session + '/screenshot'))

    def stop(self):
        if self.session:
            self.command('DELETE', self.session)

        try:
            os.killpg(self.driver.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

        self.driver.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def rules(hosts):
    """Returns the option that resolves `hosts`, and no other name."""

    rules = [f'MAP {name} 127.0.0.1:{port}' for name, port in hosts.items()]
    rules += ['MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost']

    return f'--host-resolver-rules={", ".join(rules)}'


def trust(certificates):
    """Returns the option that trusts certificates by their keys' hashes."""

    digests = []

    for path in certificates:
        pem = subprocess.run(['openssl', 'x509', '-in', path, '-pubkey',
                              '-noout'], stdout=subprocess.PIPE, check=True)
        der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'],
                             input=pem.stdout, stdout=subprocess.PIPE,
                             check=True)
        digests.append(base64.b64encode(
            hashlib.sha256(der.stdout).digest()).decode())

    return f'--ignore-certificate-errors-spki-list={",".join(digests)}'


class Pages:
    """A web server for pages: {"/path": "text in HTML"}.

    It uses TLS if there is a certificate.
    """

    def __init__(self, pages, certificate=None, key=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = pages.get(self.path, '').encode()
                self.send_response(200 if text else 404)
                self.send_header('Content-Type', 'text/html; charset=utf-8')
                self.send_header('Content-Length', str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]

        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True,
                do_handshake_on_connect=False)

        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={'poll_interval': 0.05})
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
