#!/usr/bin/python3
"""What the documents show works: nginx loads each configuration, and each
command that no other test runs gives the answer that stands below it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))
sys.path.insert(0, os.path.join(HERE, '../../util'))

import check_docs
import kafkatest
import recipetest

NJS = '/usr/lib/nginx/modules/ngx_http_js_module.so'

TOPICS = 'greetings', 'cities', 'orders', 'events', 'webhooks'

# Where a configuration may stand, from the outside to the inside.
CONTEXTS = ('{}', 'events {{ }} {}', 'events {{ }} http {{ {} }}',
            'events {{ }} http {{ server {{ {} }} }}',
            'events {{ }} http {{ server {{ location /x {{ {} }} }} }}')

SERVER = '''
        location /produce {{
            auth_basic            "Kafka";
            auth_basic_user_file  {dir}/kafka.users;
            kafka_produce         main;
        }}

        location = /status  {{ kafka_status; }}
        location = /metrics {{ kafka_status prometheus; }}
        location = /health  {{ kafka_health main; }}
'''


def pages():
    return [name for name in check_docs.pages()
            if not name.startswith(tuple(check_docs.RUN_ELSEWHERE))]


def masked(value):
    """What differs from one run to the next is compared by its type."""

    if isinstance(value, list):
        return [masked(entry) for entry in value]

    if isinstance(value, dict):
        return {name: type(entry) if name in ('partition', 'offset', 'timestamp')
                else masked(entry) for name, entry in value.items()}

    return value


def commands(block):
    """Pairs of a command and what it prints, or None."""

    if block.language == 'sh':
        return [(block.text, None)]

    return [(command, shown.rstrip('\n')) for command, shown in re.findall(
        r'^\$ (.*\n(?:[ \t].*\n)*)((?:(?!\$ ).*\n)*)', block.text, re.M)]


class Configurations(kafkatest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='documents-')
        self.addCleanup(shutil.rmtree, self.dir)
        ca = recipetest.Authority()
        self.addCleanup(ca.stop)

        for folder in 'kafka', 'tls':
            os.mkdir(os.path.join(self.dir, folder))
            shutil.copyfile(ca.path('ca.pem'), self.path(folder, 'ca.pem'))
            for name, pair in (('client', ca.sign('client', '/CN=nginx', '')),
                               ('server', ca.serve('kafka.example.com'))):
                shutil.copyfile(pair[0], self.path(folder, f'{name}.pem'))
                shutil.copyfile(pair[1], self.path(folder, f'{name}.key'))

        with open(self.path('kafka', 'secrets.conf'), 'w',
                  encoding='utf-8') as f:
            f.write(recipetest.documented('brokers/secrets.conf'))

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def complete(self, text):
        """Without what is another machine's, with the producers it lacks."""

        text = text.replace('/etc/nginx/', f'{self.dir}/') \
                   .replace('/var/log/nginx/', f'{self.dir}/')
        text = re.sub(r'^(?:load_module|user|pid|error_log) .*', '', text,
                      flags=re.M)
        text = re.sub(r'(\blisten\s+)(?:[\d.]+:)?\d+',
                      lambda m: f'{m[1]}127.0.0.1:{kafkatest.free_port()}',
                      text)
        names = (set(re.findall(r'kafka_(?:produce|health)\s+(\w+)[\s;]', text))
                 - set(re.findall(r'kafka_producer\s+(\w+)', text)))

        return text, ''.join(
            f'kafka_producer {name} {{ test.mock.num.brokers 1; }}\n'
            for name in sorted(names))

    def load(self, text, context):
        text, producers = self.complete(text)
        text = context.format(text)

        if 'http {' not in text:
            return 'no http', False
        if 'listen' not in text:
            text = text.replace('server {', 'server { listen 127.0.0.1:'
                                f'{kafkatest.free_port()};')

        modules = kafkatest.MODULES.split()
        if 'js_import' in text:
            modules.append(NJS)
        load = ''.join(f'load_module {os.path.abspath(name)};\n'
                       for name in modules)

        with open(self.path('nginx.conf'), 'w', encoding='utf-8') as f:
            f.write(load + f'pid {self.dir}/pid;\n' + text.replace(
                'http {', f'http {{\naccess_log off;\n{producers}', 1))

        done = subprocess.run(
            [kafkatest.NGINX, '-t', '-e', self.path('error.log'), '-p',
             self.dir, '-c', self.path('nginx.conf')], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout, done.returncode == 0

    def test_nginx_loads_them(self):
        count = 0

        for page in pages():
            found = list(check_docs.blocks(page))
            for block in found:
                if block.language == 'js' and block.note:
                    with open(self.path(block.note), 'w',
                              encoding='utf-8') as f:
                        f.write(block.text)

            for block in found:
                if block.language != 'nginx':
                    continue
                count += 1
                tries = []
                with self.subTest(page=page, line=block.line):
                    for context in CONTEXTS:
                        output, good = self.load(block.text, context)
                        if good:
                            break
                        tries.append(output)
                    else:
                        self.fail('\n'.join(tries))

        self.assertGreater(count, 20)


class Commands(kafkatest.TestCase):
    """A server for all pages, or what a page's own configuration makes."""

    def serve(self, page):
        """What is marked "nginx run" is added to the server that all have."""

        found = list(check_docs.blocks(page))
        own = [block.text.partition('server {') for block in found
               if (block.language, block.note) == ('nginx', 'run')]
        http = ''.join(part[0] for part in own)
        inner = ''.join(part[2].strip().removesuffix('}') for part in own)
        modules = kafkatest.MODULES + (f' {NJS}' if 'js_import' in http else '')

        with unittest.mock.patch.object(kafkatest, 'MODULES', modules):
            server = kafkatest.Nginx('', '')
            server.write(
                kafkatest.producer(self.broker.bootstrap) + http,
                SERVER.format(dir=server.dir)
                + re.sub(r'^ *listen .*', '', inner, flags=re.M).replace('/etc/nginx', server.dir))

        os.chmod(server.dir, 0o755)
        files = [(block.note, block.text) for block in found
                 if block.language == 'js' and block.note]
        for name, text in [('kafka.users', 'myuser:{PLAIN}mypass\n'), *files]:
            with open(os.path.join(server.dir, name), 'w',
                      encoding='utf-8') as f:
                f.write(text)

        return self.start(server)

    def run_in(self, folder, command, server):
        for old, new in ((':8080', f':{server.port}'),
                         ('127.0.0.1:9092', self.broker.bootstrap)):
            command = command.replace(old, new)

        return subprocess.run(['bash', '-euo', 'pipefail', '-c', command],
                              cwd=folder, check=True, text=True,
                              stdout=subprocess.PIPE).stdout.rstrip('\n')

    def assertShown(self, printed, shown, command):
        try:
            expected = json.loads(shown)
        except ValueError:
            self.assertEqual(printed, shown, command)
        else:
            self.assertEqual(masked(json.loads(printed)), masked(expected),
                             command)

    def check_page(self, page, found):
        self.broker = self.mock()
        for topic in TOPICS:
            self.broker.command(f'topic {topic} 4')

        server = self.serve(page)
        kafkatest.wait_for(lambda: server.get('/health').status == 200,
                           what='the broker is reached')

        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'events.ndjson'), 'w',
                      encoding='utf-8') as f:
                for n in range(2500):
                    f.write(json.dumps({'n': n, 'name': f'"{n}"'}) + '\n')

            for block in found:
                for command, shown in commands(block):
                    printed = self.run_in(folder, command, server)
                    if shown is not None:
                        self.assertShown(printed, shown, command)

    def test_commands(self):
        count = 0

        for page in pages():
            found = [block for block in check_docs.blocks(page)
                     if block.language in check_docs.COMMANDS
                     and not block.note]
            if found:
                with self.subTest(page=page):
                    self.check_page(page, found)
                    count += len(found)

        self.assertGreater(count, 5)


class Check(kafkatest.TestCase):
    """util/check_docs.py finds what it is for."""

    def found(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'page.md')
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            return check_docs.Page(path).check()

    def test_good(self):
        self.assertEqual(self.found(
            '# A page\n\n`a` and [b](#a-page).\n\n- c\n- d\n\n'
            '| a | b |\n| --- | --- |\n| c | d |\n| e | |\n\n'
            '```sh not run: it needs a system\nutil/test.sh --quick\n```\n\n'
            '```sh by t/package.sh\nnginx -t\n```\n'), [])

    def test_bad(self):
        for text, words in (
                ('a `b\n>c` d\n', 'renders as a blockquote'),
                ('a\n# b\n', 'renders as a heading'),
                ('a `b\n', 'opens no code'),
                ('[a](nowhere.md)\n', 'dead link'),
                ('# A\n\n[a](#b)\n', 'dead anchor'),
                ('a [b][c]\n', 'a link that is none'),
                ('| a | b |\n| --- | --- |\n| c | d |\n| | e |\n',
                 'continues the one above'),
                ('| a | b |\n| --- | --- |\n| c | d of |\n| e | f |\n',
                 'middle of a sentence'),
                ('| a | b |\n| --- | --- |\n| c | d | e |\n', 'more than 2'),
                ('    curl a\n', 'indented code'),
                ('```text\ncurl a\n```\n', 'no test runs'),
                ('```sh not run:\ncurl a\n```\n', 'not why'),
                ('```sh not run: a\nutil/none.sh\n```\n', 'no file'),
                ('```sh not run: a\nutil/test.sh --slow\n```\n', 'no --slow'),
                ('```sh by t/package.sh\nreboot now\n```\n', 'does not run'),
                ('```json\n{\n```\n', 'invalid JSON'),
                ('```perl\n1\n```\n', 'unknown language'),
                (f'{"a " * 60}\n', '120 columns')):
            with self.subTest(text=text):
                found = self.found(text)
                self.assertEqual(len([line for line in found if words in line]),
                                 1, found)


if __name__ == '__main__':
    kafkatest.unittest.main()
