#!/usr/bin/python3
"""A client is replaced, or another one is made beside it, and the event loop
goes on meanwhile; or none can be made, and nobody hangs.
"""

import collections
import http.client
import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
import outcomes
from kafkatest import wait_for
from life import Waiting


LOCATIONS = '''
        location /produce { kafka_produce main; }
        location /status { kafka_status; }
        location /health { kafka_health main; }
        location /static { return 200 static; }'''

REPLACED = 'its client is replaced'


def clients(server):
    """The main threads of librdkafka's clients, one for each."""

    pid, = server.worker_pids()
    found = set()

    for thread in os.listdir(f'/proc/{pid}/task'):
        try:
            with open(f'/proc/{pid}/task/{thread}/comm',
                      encoding='ascii') as f:
                if f.read() == 'rdk:main\n':
                    found.add(thread)
        except OSError:
            pass                # it has ended meanwhile

    return found


class Replace(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic t 1')
        self.broker.command('topic u 1')
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o777)

    def serve(self, *properties):
        with self.preload('newclient.c', f'-DFOLDER="{self.folder}"'):
            server = self.nginx(
                kafkatest.producer(self.broker.bootstrap, *properties),
                LOCATIONS)
        self.addCleanup(self.let_go, 'hold')        # before nginx ends
        for topic in 't', 'u':
            self.assertEqual(server.get(f'/produce/{topic}/warm').status, 200)
        return server

    def path(self, name):
        return os.path.join(self.folder, name)

    def set(self, name):
        with open(self.path(name), 'w', encoding='ascii'):
            pass

    def let_go(self, name):
        if os.path.exists(self.path(name)):
            os.unlink(self.path(name))

    def next_answer(self, error, milliseconds=0):
        """Of the broker, to a request with messages."""

        self.broker.command(f'answer 1 0 {error} {milliseconds}')

    def end_client(self, server):
        """By a fatal error; its successor is about to be made."""

        self.next_answer('OUT_OF_ORDER_SEQUENCE_NUMBER')
        answer = server.get('/produce/u/fatal')
        self.assertEqual(answer.status, 504, answer)
        self.assertIn(REPLACED, server.log())

    def held(self):
        wait_for(lambda: os.path.exists(self.path('held')),
                 what='a client is being made')

    def rebuilt(self, server):
        return server.status()['clients_rebuilt']

    def values(self):
        return [record.value.decode() for record in
                kafkatest.read_topic(self.broker.bootstrap, 't')]

    def test_the_loop_goes_on_while_a_client_is_made(self):
        server = self.serve()
        self.set('hold')
        self.end_client(server)
        self.held()

        waiting = Waiting(server, '/produce/t/m')
        server.wait_for_requests(1)
        self.assertEqual(server.get('/static', timeout=5).body, b'static')
        self.assertEqual(self.rebuilt(server), 0)

        self.let_go('hold')
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(self.rebuilt(server), 1)
        self.assertEqual(self.values(), ['warm', 'm'])

    def test_the_loop_goes_on_while_the_isolated_client_is_made(self):
        """Other topics go on, and the partition keeps its order."""

        server = self.serve()
        self.set('isolated')
        self.set('hold')
        self.next_answer('INVALID_RECORD')
        waiting = Waiting(server, '/produce/t', '{"value":"a"}')
        self.held()

        self.assertEqual(server.get('/produce/u/beside').status, 200)
        behind = Waiting(server, '/produce/t/b')
        server.wait_for_requests(2)
        self.assertEqual(self.values(), ['warm'])

        self.let_go('hold')
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(behind.answer().status, 200)
        self.assertEqual(self.values(), ['warm', 'a', 'b'])

    def test_a_client_ends_while_the_isolated_one_is_made(self):
        """They have nothing to do with each other."""

        server = self.serve()
        self.set('isolated')
        self.set('hold')
        self.next_answer('INVALID_RECORD')
        waiting = Waiting(server, '/produce/t', '{"value":"a"}')
        self.held()
        wait_for(lambda: self.rebuilt(server) == 1, what='the next client')
        self.end_client(server)
        wait_for(lambda: self.rebuilt(server) == 2, what='the one after it')

        self.let_go('hold')
        answer = waiting.answer()
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.values(), ['warm', 'a'])

    def isolate(self, server, value):
        """A record that goes to Kafka by the isolated client."""

        self.next_answer('INVALID_RECORD')
        answer = server.post('/produce/t', {'value': value})
        self.assertEqual(answer.status, 200, answer)

    def check_outcomes(self, answer, values):
        """Of the values of a request: what it says is true, and nothing is
        there twice."""

        found = collections.defaultdict(list)
        for record in kafkatest.read_topic(self.broker.bootstrap, 't'):
            found[record.value.decode()].append(
                ('t', record.partition, record.offset))

        faults = outcomes.compare(
            (value, outcome, found[value]) for value, outcome in zip(
                values, outcomes.judge(answer, ['t'] * len(values)),
                strict=True))
        self.assertEqual({fault: cases for fault, cases in faults.items()
                          if cases}, {})
        self.assertEqual({value for value, places in found.items()
                          if len(places) != 1} - set(values), set())

    def check_served(self, server):
        """By clients of both kinds."""

        self.assertEqual(server.get('/produce/u/m').status, 200)
        self.assertEqual(server.get('/produce/t/b').status, 200)
        self.assertEqual(self.values()[-1:], ['b'])

        main = server.status()
        self.assertEqual([main[gauge] for gauge in (
            'requests_waiting', 'messages_unsent', 'messages_pending')],
            [0, 0, 0])

    def test_a_client_ends_while_the_isolated_one_waits(self):
        """For a broker: it goes on, and so does what waits for it."""

        server = self.serve('message.timeout.ms 60000')
        self.isolate(server, 'a')
        self.next_answer('NO_ERROR', 3000)
        waiting = Waiting(server, '/produce/t/x')
        server.wait_for_requests(1)
        behind = Waiting(server, '/produce/t/y')
        wait_for(lambda: self.values() == ['warm', 'a', 'x'],
                 what='the broker has it')
        self.end_client(server)
        self.assertEqual(server.get('/produce/u/beside').status, 200)

        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(behind.answer().status, 200)
        self.assertEqual(self.values(), ['warm', 'a', 'x', 'y'])

    def test_the_isolated_client_has_sent_nothing(self):
        """As its time ends: nothing is there, and the partition goes on."""

        server = self.serve('message.timeout.ms 1500')
        self.set('isolated')
        self.set('hold')
        self.next_answer('INVALID_RECORD')
        waiting = Waiting(server, '/produce/t', '{"value":"a"}')
        self.held()
        wait_for(lambda: self.rebuilt(server) == 1, what='the next client')
        self.assertEqual(server.get('/produce/u/beside').status, 200)
        self.broker.command('fail 22 COORDINATOR_LOAD_IN_PROGRESS 100000')
        self.let_go('hold')

        answer = waiting.answer()
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual([(r['code'], r['persisted'])
                          for r in answer.json['results']],
                         [('_MSG_TIMED_OUT', 'no')])
        self.broker.command('clear 22')

        for value in 'b', 'c':
            wait_for(lambda v=value: server.get(f'/produce/t/{v}').status
                     == 200, 10, 'the partition goes on')
        self.assertEqual(self.values(), ['warm', 'b', 'c'])
        self.assertEqual(server.status()['messages_pending'], 0)

    def test_the_isolated_client_ends(self):
        """By a fatal error of its own: another one takes its place."""

        server = self.serve()
        self.isolate(server, 'a')
        old = clients(server)

        self.next_answer('OUT_OF_ORDER_SEQUENCE_NUMBER')
        values = ['x', 'y', 'z']
        answer = server.post('/produce/t', [{'value': value}
                                            for value in values])
        self.assertEqual(answer.status, 504, answer)
        first, _, last = answer.json['results']
        self.assertEqual((first['code'], first['persisted']),
                         ('OUT_OF_ORDER_SEQUENCE_NUMBER', 'maybe'))
        self.assertIn('offset', last)       # it had not been sent
        self.assertRegex(server.log(), 'fatal error '
                         f'OUT_OF_ORDER_SEQUENCE_NUMBER: .*{REPLACED}')
        wait_for(lambda: len(old & clients(server)) == 1, 30,
                 'it is destroyed')
        self.check_served(server)
        self.check_outcomes(answer, values)

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
            self.assertIn('could not be started', answer.json['error'])
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

    def check_unsent(self, answer, code):
        """A message that waited for a client, and why it was not sent."""

        self.assertEqual(answer.status, 503, answer)
        self.assertEqual([(r['code'], r['persisted'])
                          for r in answer.json['results']], [(code, 'no')])

    def test_its_time_ends_before_there_is_a_client(self):
        """The reason is what has ended the last one."""

        server = self.serve('message.timeout.ms 1000')
        self.set('hold')
        self.end_client(server)
        self.held()
        self.check_unsent(server.get('/produce/t/no'),
                          'OUT_OF_ORDER_SEQUENCE_NUMBER')
        self.let_go('hold')
        wait_for(lambda: server.get('/produce/t/m').status == 200, 5,
                 'there is a client')
        self.assertEqual(self.values(), ['warm', 'm'])

    def test_its_time_ends_after_a_message_failed_for_good(self):
        """The last client had no error that would be a reason."""

        server = self.serve('message.timeout.ms 1000')
        self.set('hold')
        self.next_answer('INVALID_RECORD')
        waiting = Waiting(server, '/produce/u', '{"value":"bad"}')
        self.held()
        self.assertIn(REPLACED, server.log())
        self.check_unsent(server.get('/produce/t/no'), '_MSG_TIMED_OUT')
        self.let_go('hold')
        waiting.answer()
        wait_for(lambda: server.get('/produce/t/m').status == 200, 5,
                 'there is a client')
        self.assertEqual(self.values(), ['warm', 'm'])

    def test_what_waits_as_no_client_can_be_made(self):
        """For two attempts; then it is told."""

        server = self.serve()
        self.set('hold')
        self.set('fail')
        self.next_answer('INVALID_RECORD')
        bad = Waiting(server, '/produce/u', '{"value":"bad"}')
        self.held()
        waiting = Waiting(server, '/produce/t/no')
        server.wait_for_requests(2)
        self.let_go('hold')
        self.check_unsent(waiting.answer(6), '_CRIT_SYS_RESOURCE')
        self.let_go('fail')
        bad.answer()
        wait_for(lambda: server.get('/produce/t/m').status == 200, 5,
                 'there is a client')
        self.assertEqual(self.values(), ['warm', 'm'])

    def test_the_isolated_client_cannot_be_made(self):
        server = self.serve()
        self.set('isolated')
        self.set('fail')
        self.next_answer('INVALID_RECORD')
        self.check_unsent(server.post('/produce/t', {'value': 'a'}), '_STATE')
        self.let_go('fail')
        answer = server.post('/produce/t', {'value': 'b'})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.values(), ['warm', 'b'])

    def test_one_isolated_client_for_one_lane(self):
        server = self.serve()
        before = clients(server)
        self.isolate(server, 'a')
        wait_for(lambda: self.rebuilt(server) == 1, what='the next client')
        self.assertEqual(len(clients(server) - before), 2)

    def test_what_an_isolated_client_may_have_sent(self):
        """The first record is refused, and the second one purged behind it.
        The first one is sent again, alone, to a leader that is deposed: it
        may have that one.  The second one is never sent.
        """

        server = self.serve('message.timeout.ms 1500', 'batch.num.messages 1')
        self.isolate(server, 'a')
        for _ in range(2):      # so that two may go together
            self.assertEqual(server.get('/produce/t/b').status, 200)
        self.next_answer('INVALID_RECORD')
        for _ in range(40):
            self.next_answer('NOT_LEADER_FOR_PARTITION')

        answer = server.post('/produce/t', [{'value': v} for v in 'xy'])
        self.assertEqual([r['persisted'] for r in answer.json['results']],
                         ['maybe', 'no'])

    def two_requests(self):
        """The next two messages to t go by the isolated client, as two."""

        server = self.serve('message.timeout.ms 10000', 'batch.num.messages 1')
        self.isolate(server, 'a')
        for _ in range(2):
            self.assertEqual(server.get('/produce/t/b').status, 200)
        return server

    def test_a_retry_that_is_refused(self):
        """The second message was in no request, and follows the first."""

        server = self.two_requests()
        for error in 'NOT_ENOUGH_REPLICAS', 'NOT_LEADER_FOR_PARTITION':
            self.next_answer(error)
            self.next_answer('INVALID_RECORD')
            answer = server.post('/produce/t', [{'value': v} for v in 'xy'])
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(self.values()[-2:], ['x', 'y'])
            for _ in range(2):
                self.assertEqual(server.get('/produce/t/b').status, 200)

    def test_a_worker_exits_while_a_refusal_is_on_its_way(self):
        server = self.two_requests()
        self.next_answer('INVALID_RECORD', 700)
        waiting = Waiting(server, '/produce/t',
                          json.dumps([{'value': v} for v in 'xy']))
        server.wait_for_requests(1)
        server.kill(kafkatest.signal.SIGTERM)
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(server.wait(20), 0)
        self.assertEqual(self.values()[-2:], ['x', 'y'])

    def test_a_worker_exits_while_a_client_drains(self):
        """What others have on their way is acknowledged."""

        server = self.serve('message.timeout.ms 1500')
        self.isolate(server, 'a')
        self.next_answer('NO_ERROR', 60000)
        hanging = Waiting(server, '/produce/t/hangs')
        wait_for(lambda: 'is overdue' in server.log(), what='it is overdue')
        self.next_answer('NO_ERROR', 300)
        waiting = Waiting(server, '/produce/u/m')
        wait_for(lambda: [r.value for r in kafkatest.read_topic(
            self.broker.bootstrap, 'u')] == [b'warm', b'm'],
            what='the broker has it')
        server.kill(kafkatest.signal.SIGTERM)

        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(hanging.answer().status, 504)
        self.assertEqual(server.wait(20), 0)

    def test_a_worker_exits_while_a_client_is_made(self):
        server = self.serve()
        self.set('hold')
        self.end_client(server)
        self.held()
        waiting = Waiting(server, '/produce/t/m')
        server.wait_for_requests(1)
        server.kill(kafkatest.signal.SIGTERM)
        wait_for(lambda: ': exiting' in server.log(), what='a worker exits')
        self.let_go('hold')
        self.assertEqual(server.wait(20), 0)
        try:
            self.assertEqual(waiting.answer().status, 503)
        except (OSError, http.client.HTTPException):
            pass                # closed without an answer
        self.assertEqual(self.values(), ['warm'])


if __name__ == '__main__':
    kafkatest.unittest.main()
