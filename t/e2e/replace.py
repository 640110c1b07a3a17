#!/usr/bin/python3
"""A client is replaced, or another one is made beside it, and the event loop
goes on meanwhile; or none can be made, and nobody hangs.
"""

import http.client
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for
from life import Waiting


LOCATIONS = '''
        location /produce { kafka_produce main; }
        location /status { kafka_status; }
        location /health { kafka_health main; }
        location /static { return 200 static; }'''

REPLACED = 'its client is replaced'


class Replace(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic t 1')
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o777)

    def serve(self, *properties):
        with self.preload('newclient.c', f'-DFOLDER="{self.folder}"'):
            server = self.nginx(
                kafkatest.producer(self.broker.bootstrap, *properties),
                LOCATIONS)
        self.addCleanup(self.let_go, 'hold')        # before nginx ends
        self.assertEqual(server.get('/produce/t/warm').status, 200)
        return server

    def path(self, name):
        return os.path.join(self.folder, name)

    def set(self, name):
        with open(self.path(name), 'w', encoding='ascii'):
            pass

    def let_go(self, name):
        if os.path.exists(self.path(name)):
            os.unlink(self.path(name))

    def end_client(self, server):
        """By a fatal error; its successor is about to be made."""

        self.broker.command('fail 0 OUT_OF_ORDER_SEQUENCE_NUMBER')
        answer = server.get('/produce/t/fatal')
        self.assertEqual(answer.status, 504, answer)
        self.assertIn(REPLACED, server.log())

    def held(self):
        wait_for(lambda: os.path.exists(self.path('held')),
                 what='a client is being made')

    def rebuilt(self, server):
        return server.get('/status').json['producers']['main'][
            'clients_rebuilt']

    def values(self):
        return [record.value.decode() for record in
                kafkatest.read_topic(self.broker.bootstrap, 't')]

    def test_the_loop_goes_on_while_a_client_is_made(self):
        server = self.serve()
        self.set('hold')
        self.end_client(server)
        self.held()

        waiting = Waiting(server, '/produce/t/m')
        wait_for(lambda: server.get('/status').json['producers']['main'][
                     'requests_waiting'] == 1, what='it waits')
        self.assertEqual(server.get('/static', timeout=5).body, b'static')
        self.assertEqual(self.rebuilt(server), 0)

        self.let_go('hold')
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(self.rebuilt(server), 1)
        self.assertEqual(self.values(), ['warm', 'm'])

    def test_the_loop_goes_on_while_the_isolated_client_is_made(self):
        server = self.serve()
        self.set('hold')
        self.broker.command('fail 0 INVALID_RECORD 1')
        waiting = Waiting(server, '/produce/t', '{"value":"a"}')
        self.held()

        self.assertEqual(server.get('/produce/t/beside').status, 200)
        self.assertEqual(self.values(), ['warm', 'beside'])

        self.let_go('hold')
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(self.values(), ['warm', 'beside', 'a'])

    def test_a_client_ends_while_the_isolated_one_is_made(self):
        """What waits for it goes there, once the next client is there, too."""

        server = self.serve()
        self.set('hold')
        self.broker.command('fail 0 INVALID_RECORD 1')
        waiting = Waiting(server, '/produce/t', '{"value":"a"}')
        self.held()
        self.end_client(server)

        self.let_go('hold')
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(self.values(), ['warm', 'a'])
        self.assertEqual(self.rebuilt(server), 1)

    def test_no_client_can_be_made(self):
        """It is tried again each second; nobody waits for the second try."""

        server = self.serve()
        self.set('fail')
        self.end_client(server)

        wait_for(lambda: 'could not be made' in server.log(),
                 what='the first try')

        for _ in range(3):
            answer = server.get('/produce/t/no', timeout=10)
            self.assertEqual(answer.status, 503, answer)
            answer = server.get('/health')
            self.assertEqual(answer.status, 503, answer)
            self.assertIn('could not be made', answer.json['reason'])
            wait_for(lambda: server.log().count('could not be made') > 1, 5,
                     'another try')

        # also while the next attempt is made

        self.set('hold')
        self.held()
        self.assertIn('could not be made', server.get('/health').json['reason'])
        self.let_go('hold')

        self.let_go('fail')
        wait_for(lambda: server.get('/produce/t/m').status == 200, 5,
                 'there is a client')
        wait_for(lambda: server.get('/health').status == 200, 5, 'health')
        self.assertEqual(self.values(), ['warm', 'm'])

    def test_the_isolated_client_cannot_be_made(self):
        server = self.serve()
        self.set('fail')
        self.broker.command('fail 0 INVALID_RECORD 1')
        answer = server.post('/produce/t', {'value': 'a'})
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual([(r['code'], r['persisted'])
                          for r in answer.json['results']],
                         [('_STATE', 'no')])
        self.let_go('fail')
        self.broker.command('fail 0 INVALID_RECORD 1')
        answer = server.post('/produce/t', {'value': 'b'})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.values(), ['warm', 'b'])

    def test_a_worker_exits_while_a_client_is_made(self):
        server = self.serve()
        self.set('hold')
        self.end_client(server)
        self.held()
        waiting = Waiting(server, '/produce/t/m')
        wait_for(lambda: server.get('/status').json['producers']['main'][
                     'requests_waiting'] == 1, what='it waits')
        server.kill(kafkatest.signal.SIGTERM)
        self.let_go('hold')
        self.assertEqual(server.wait(20), 0)
        try:
            self.assertEqual(waiting.answer().status, 503)
        except (OSError, http.client.HTTPException):
            pass                # closed without an answer
        self.assertEqual(self.values(), ['warm'])


if __name__ == '__main__':
    kafkatest.unittest.main()
