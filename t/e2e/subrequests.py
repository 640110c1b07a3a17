#!/usr/bin/python3
"""What others' modules get from a subrequest to a produce location: Lua, njs,
SSI, mirror, auth_request.
"""

import json
import os
import select
import shutil
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../lib'))

import kafkatest


DEBIAN = '/usr/lib/nginx/modules'

# Debian's Lua needs the first

LUA = [f'{DEBIAN}/ndk_http_module.so', f'{DEBIAN}/ngx_http_lua_module.so']
NJS = [f'{DEBIAN}/ngx_http_js_module.so']

CAPTURE = '''
    location /capture {
        client_body_buffer_size 1m;
        content_by_lua_block {
            ngx.req.read_body()
            local answer = ngx.location.capture(
                ngx.var.arg_to, { method = ngx["HTTP_" .. ngx.var.arg_method],
                                  body = ngx.req.get_body_data() })
            ngx.header["X-Status"] = answer.status
            for _, name in ipairs { "Content-Type", "Content-Length",
                                    "Cache-Control", "Retry-After" } do
                ngx.header["X-" .. name] = answer.header[name]
            end
            ngx.print(answer.body)
        }
    }
'''

FETCH = '''
async function fetch(r) {
    let answer = await r.subrequest(r.args.to, {method: r.args.method,
                                                body: r.requestText});
    r.headersOut['X-Status'] = answer.status;
    r.headersOut['X-Content-Type'] = answer.headersOut['Content-Type'];
    r.return(200, answer.responseText);
}

async function send(r) {
    let answer = await r.subrequest(r.args.to, {method: 'POST', body: 'sent'});
    r.return(200, answer.responseText);
}

export default {fetch, send};
'''


class Subrequests(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic sub 1')

    def serve(self, server, modules=(), http='', properties=()):
        """Modules stand before this one and after it, where "..." is."""

        names = ' '.join(modules).replace('...', kafkatest.MODULES)

        with unittest.mock.patch.object(kafkatest, 'MODULES',
                                        names or kafkatest.MODULES):
            return self.nginx(
                kafkatest.producer(self.broker.bootstrap, *properties) + http,
                'location /produce { kafka_produce main; }' + server)

    def values(self):
        return [r.value.decode() for r in
                kafkatest.read_topic(self.broker.bootstrap, 'sub')]

    def assertError(self, answer, status, kind='application/json'):
        self.assertEqual(answer.headers['X-Status'], str(status), answer)
        self.assertEqual(answer.headers['X-Content-Type'], kind, answer)
        self.assertEqual(answer.json['status'], status)
        self.assertTrue(answer.json['error'])

    # Lua: its filters may stand before the module's or after them

    def check_capture(self, modules):
        server = self.serve(CAPTURE + '''
            location /text { return 400 '{"error":"text","status":400}'; }
            location /page {
                kafka_produce main;
                error_page    400 /text;
            }
        ''', modules)

        def capture(to, body=None, method=None):
            return server.post(
                f'/capture?to={to}&method={method or ("POST" if body else "GET")}',
                body or '')

        answer = capture('/produce/sub/a')
        self.assertEqual(answer.json['offset'], 0)
        self.assertEqual(answer.headers['X-Status'], '200')
        self.assertEqual(answer.headers['X-Cache-Control'], 'no-store')

        answer = capture('/produce/sub', '[{"value":"b"},{"value":"c"}]')
        self.assertEqual([m['offset'] for m in answer.json], [1, 2])

        # before the body, while it is read, and at its end

        refusals = [('/produce/s!b/m', None, 400), ('/produced', None, 404),
                    ('/produce/sub', '{"value":1}', 400),
                    ('/produce/sub', '{"value":"v"', 400)]

        for to, body, status in refusals:
            with self.subTest(to=to, body=body):
                answer = capture(to, body)
                self.assertError(answer, status)
                self.assertEqual(answer.headers['X-Content-Length'],
                                 str(len(answer.body)))
                self.assertEqual(answer.headers['X-Cache-Control'],
                                 'no-store')

        self.assertError(capture('/produce/sub', '{"value":"v"}', 'PUT'), 405)

        # as nginx's own text; an error_page comes first, which Lua misses

        self.assertError(capture('/text'), 400, 'text/plain')
        answer = capture('/page/s!b/m')
        self.assertEqual(answer.headers['X-Status'], '400')
        self.assertEqual(answer.body, b'')
        self.assertEqual(self.values(), ['a', 'b', 'c'])

        # after Kafka's answer

        self.broker.command('fail 0 MSG_SIZE_TOO_LARGE 20')
        answer = capture('/produce/sub', '{"value":"v"}')
        self.assertError(answer, 413)
        self.assertEqual(answer.json['results'][0]['code'],
                         'MSG_SIZE_TOO_LARGE')
        self.assertIn('a subrequest ended with 413', server.log())

    def test_lua_before(self):
        self.check_capture([*LUA, '...'])

    def test_lua_after(self):
        self.check_capture(['...', *LUA])

    def test_lua_without_brokers(self):
        server = self.serve(CAPTURE, [*LUA, '...'],
                            properties=['message.timeout.ms 500'])
        self.broker.command('down -1')

        answer = server.post('/capture?to=/produce/sub/a&method=GET', '')
        self.assertError(answer, 503)
        self.assertEqual(answer.headers['X-Retry-After'], '1')

    # njs

    def check_njs(self, modules):
        server = self.serve('''
            location /fetch { js_content main.fetch; }
            location /raw { kafka_produce main protocol=raw; }
            location /send { js_content main.send; }
        ''', modules, f'js_import main from {self.script()};')

        answer = server.get('/fetch?to=/produce/sub/a&method=GET')
        self.assertEqual(answer.json['offset'], 0)

        answer = server.get('/fetch?to=/produce/s!b/m&method=GET')
        self.assertError(answer, 400)

        answer = server.post('/fetch?to=/produce/sub&method=POST',
                             '{"value":1}')
        self.assertError(answer, 400)

        # a body of its own, which has no Content-Length

        answer = server.get('/send?to=/raw/sub')
        self.assertEqual(answer.json['offset'], 1)
        self.assertEqual(self.values(), ['a', 'sent'])

    def script(self):
        folder = tempfile.mkdtemp(prefix='njs-')
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, 'main.js')

        with open(path, 'w', encoding='utf-8') as f:
            f.write(FETCH)

        return path

    def test_njs_before(self):
        self.check_njs([*NJS, '...'])

    def test_njs_after(self):
        self.check_njs(['...', *NJS])

    # SSI

    def test_ssi(self):
        server = self.serve('''
            location /page {
                ssi           on;
                default_type  text/html;
                return 200 '<!--#block name="stub" -->stub<!--#endblock -->
                            <!--#include virtual="$arg_to" stub="stub" -->';
            }
            location /text { return 400 '{"error":"text","status":400}'; }
        ''')

        def page(to):
            return json.loads(server.get(f'/page?to={to}').body)

        self.assertEqual(page('/text'), {'error': 'text', 'status': 400})
        self.assertEqual(page('/produce/sub/a')['offset'], 0)
        self.assertEqual(page('/produce/s!b/m')['status'], 400)

    # what the documentation says of mirror and auth_request

    def test_mirror_delays_the_next_request_of_its_connection(self):
        server = self.serve('''
            location /app {
                mirror     /produce/sub/seen;
                proxy_pass http://127.0.0.1:$server_port/text;
            }
            location /text { return 200 "text"; }
        ''')
        self.assertEqual(server.get('/produce/sub/warm').status, 200)
        self.broker.command('down -1')

        ask = b'GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n'

        with server.connect() as s:
            s.sendall(ask % b'/app')
            self.assertEqual(kafkatest.read_response(s).body, b'text')

            s.sendall(ask % b'/text')
            self.assertEqual(server.get('/text').body, b'text')
            self.assertFalse(select.select([s], [], [], 0.3)[0])

            self.broker.command('up -1')
            self.assertEqual(kafkatest.read_response(s).body, b'text')

        self.assertEqual(self.values(), ['warm', 'seen'])

    def test_auth_request(self):
        server = self.serve('''
            location /app {
                auth_request /produce/sub/seen;
                proxy_pass   http://127.0.0.1:$server_port/text;
            }
            location /refused {
                auth_request /produce/s!b/seen;
                proxy_pass   http://127.0.0.1:$server_port/text;
            }
            location /text { return 200 "text"; }
        ''')

        self.assertEqual(server.get('/app').body, b'text')
        self.assertEqual(self.values(), ['seen'])
        self.assertEqual(server.get('/refused').status, 500)


if __name__ == '__main__':
    unittest.main()
