#!/usr/bin/python3
"""What waits needs room, in nginx and in librdkafka."""

import collections
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from faultcase import MockCase
from kafkatest import wait_for
from life import Waiting


class Room(MockCase):
    """What waits is bounded, and the bound is given back."""

    def test_kafka_max_memory(self):
        server = self.serve(http='kafka_max_memory 1m;')
        self.warm(server)
        self.slow(2500)
        body = json.dumps({'value': 'x' * 100000})
        waiting = []

        def refused():
            return sum(w.future.done() for w in waiting)

        # one by one, as a value that grows needs more for a moment

        for i in range(20):
            waiting.append(Waiting(server, '/produce/t', body))
            wait_for(lambda: server.status()['requests_waiting'] + refused()
                     == len(waiting), 2, 'it waits, or is refused at once')

        self.assertGreaterEqual(refused(), 8)

        # this is refused before its body is read

        with server.connect() as s:
            s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Length: 300000\r\n\r\n')
            s.settimeout(1)
            self.assertRefused(kafkatest.read_response(s), 503)

        answers = [w.answer() for w in waiting]
        statuses = collections.Counter(a.status for a in answers)
        self.assertEqual(set(statuses), {200, 503}, statuses)
        self.assertGreaterEqual(statuses[200], 7)
        self.assertLessEqual(statuses[200], 10)
        for answer in answers:
            if answer.status == 503:
                self.assertRefused(answer, 503)

        self.slow(0)
        self.assertEqual(len(self.values()), statuses[200])
        for _ in range(20):
            self.assertEqual(server.post('/produce/t', body).status, 200)

    def test_absurd_content_length(self):
        """A length that no sum can hold is refused before its body."""

        for limit in ('1m', str(2**63 - 1)):
            server = self.nginx(
                kafkatest.producer(self.broker.bootstrap)
                + f'kafka_max_memory {limit};',
                'location /produce { kafka_produce main;'
                ' client_max_body_size 0; }')
            self.warm(server)

            for length in (2**63 - 1, 2**63 - 2048, 2**63 - 4096):
                if limit == '1m' or length == 2**63 - 1:
                    with self.subTest(limit=limit, length=length), \
                            server.connect(timeout=3) as s:
                        s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                                  b'Content-Length: %d\r\n\r\n' % length)
                        self.assertRefused(kafkatest.read_response(s), 413)

            self.warm(server)

        self.assertEqual(self.values(), [])

    def test_get_holds_what_post_holds(self):
        """A message in the path, escaped or not, and its key are counted, and
        take what they take in JSON."""

        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap)
            + 'large_client_header_buffers 4 32k;',
            kafkatest.SERVER +
            'location /rewritten { rewrite ^/rewritten(.*) /produce$1; }')
        self.warm(server)
        waiting = 20
        value, key = 'x' * 7000, 'k' * 300

        forms = {
            'JSON': lambda: Waiting(server, '/produce/t', json.dumps(
                {'value': value, 'key': key})),
            'path': lambda: Waiting(server, f'/produce/t/{value}?key={key}'),
            'escapes': lambda: Waiting(
                server, f'/produce/t/{"%78" * 7000}?key={"%6B" * 300}'),
            'rewrite': lambda: Waiting(
                server, f'/rewritten/t/{value}?key={key}'),
        }
        held = {}

        for name, send in forms.items():
            self.slow(1000)
            requests = [send() for _ in range(waiting)]

            def memory():
                worker, = server.get('/status').json['workers']
                return (worker['requests_waiting'] == waiting
                        and worker['memory'])

            held[name] = wait_for(memory, what=f'{name}: all wait')
            self.slow(0)
            self.assertEqual([r.answer().status for r in requests],
                             [200] * waiting)

        self.assertEqual(self.values(), [value] * waiting * len(forms))
        self.assertGreater(held['JSON'], waiting * 7300)
        self.assertEqual(held, dict.fromkeys(forms, held['JSON']))

    def test_room_of_those_who_left(self):
        """It is Kafka's word that gives it back, not the client's leaving."""

        server = self.serve(http='kafka_max_memory 1m;')
        self.warm(server)
        self.slow(5000)
        body = json.dumps({'value': 'x' * 100000}).encode()

        for i in range(6):
            with server.connect() as s:
                s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                          b'Content-Length: %d\r\n\r\n' % len(body) + body)
                server.wait_for_requests(i + 1)

        big = json.dumps({'value': 'x' * 400000})
        self.assertRefused(server.post('/produce/t', big), 503)
        self.slow(0)
        wait_for(lambda: server.post('/produce/t', big).status == 200, 10,
                 'the room is given back')

    def test_full_queue_keeps_the_order(self):
        """librdkafka takes 10 messages at a time; nginx does not spin."""

        server = self.serve('queue.buffering.max.messages 10')
        self.warm(server)
        self.slow(100)
        pid, = server.worker_pids()
        loop = f'{pid}/task/{pid}'      # librdkafka's threads aside
        before = kafkatest.cpu_seconds(loop)

        waiting = []
        for i in range(4):
            waiting.append(Waiting(server, '/produce/t', json.dumps(
                [{'value': f'{i}-{j}'} for j in range(50)])))
            server.wait_for_requests(i + 1)

        self.assertEqual([w.answer().status for w in waiting], [200] * 4)
        self.assertLess(kafkatest.cpu_seconds(loop) - before, 0.1)
        self.slow(0)
        self.assertEqual(self.values(), [f'{i}-{j}' for i in range(4)
                                         for j in range(50)])

    def test_full_queue_until_the_deadline(self):
        """librdkafka gives a message up after 1 s or 2, nginx a request after
        3 s.  What librdkafka holds of it then may still be sent; but each
        request's end makes room for the next one's messages, so that each may
        have some, and Kafka can get what was held last."""

        server = self.serve('queue.buffering.max.messages 10',
                            'message.timeout.ms 1000')
        self.warm(server)
        self.broker.command('leader t 0 -1')
        waiting = [Waiting(server, '/produce/t', json.dumps(
            [{'value': f'{i}-{j}'} for j in range(50)])) for i in range(4)]

        fates = [('_MSG_TIMED_OUT', 'no'), ('_MSG_TIMED_OUT', 'maybe'),
                 ('_QUEUE_FULL', 'no')]
        total = collections.Counter()
        held = set()

        for i, w in enumerate(waiting):
            answer = w.answer()
            results = [(r['code'], r['persisted'])
                       for r in answer.json['results']]
            self.assertEqual(answer.status, 504 if results[0] == fates[1]
                             else 503)
            codes = [code for code, _ in results]
            self.assertEqual(codes, sorted(codes))  # _QUEUE_FULL comes last
            self.assertLessEqual(set(results), set(fates))

            # the ten that the old leader refused, and the ten held last

            self.assertLessEqual(results.count(fates[1]), 20)
            held |= {f'{i}-{j}' for j, fate in enumerate(results)
                     if fate == fates[1]}
            total.update(results)

        # of the first group of the next client, which is a single record
        self.assertGreater(total[fates[0]], 0)
        self.broker.command('leader t 0 1')
        wait_for(lambda: server.status()['messages_pending'] == 0,
                 what='librdkafka holds none')
        values = self.values()
        self.assertLessEqual(set(values), held)
        self.assertLessEqual(len(values), 10)

    def test_topic_denied_while_messages_wait_for_room(self):
        """A topic that no message has been produced to yet, and that a second
        look-up does not find any more, stays while messages to it wait."""

        server = self.serve('queue.buffering.max.messages 2')
        self.broker.command('topic late 1')
        self.warm(server)
        self.broker.command('leader t 0 -1')
        waiting = [Waiting(server, '/produce/t', json.dumps(
            [{'value': str(i)} for i in range(5)]))]
        server.wait_for_requests(1)
        waiting.append(Waiting(server, '/produce/late', '{"value":"late"}'))
        server.wait_for_requests(2)
        time.sleep(1.2)         # partitions are asked for again after 1 s

        # a look-up that ends before it is begun, as another topic is not there

        self.broker.command('error nowhere UNKNOWN_TOPIC_OR_PART')
        self.assertRefused(server.get('/produce/nowhere/m'), 404)
        elsewhere = [{'topic': 'late', 'value': 'v', 'partition': 99},
                     {'topic': 'nowhere', 'value': 'v'}]
        self.assertRefused(server.post('/produce', elsewhere), 404)
        time.sleep(2.5)         # what is absent is forgotten after 1 s

        # and one that does not find it

        self.broker.command('error late UNKNOWN_TOPIC_OR_PART')
        self.assertRefused(server.post('/produce', elsewhere[:1]), 404)
        time.sleep(2.5)         # it is forgotten, as the other one was
        self.assertFalse(any(w.future.done() for w in waiting))

        self.broker.command('error late NO_ERROR')
        self.broker.command('leader t 0 1')
        self.assertEqual([w.answer().status for w in waiting], [200, 200])
        self.assertEqual(self.values(), [*'01234'])
        self.assertEqual(self.values('late'), ['late'])

    def test_a_million_tiny_messages(self):
        """They need more room than there is; what they had comes back."""

        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap)
            + 'kafka_max_memory 64m;',
            'location /produce { kafka_produce main;'
            ' client_max_body_size 64m; }')
        self.warm(server)
        pid, = server.worker_pids()
        body = b'[' + b'{"value":""},' * 1000000 + b']'

        for i in range(5):
            start = time.monotonic()
            with server.connect() as s:
                try:
                    s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                              b'Content-Length: %d\r\n\r\n' % len(body) + body)
                except OSError:
                    pass        # answered before the end
                self.assertRefused(kafkatest.read_response(s), 413)
            self.assertLess(time.monotonic() - start, 10)
            wait_for(lambda: server.get('/produce/t/warm').status == 200, 5,
                     'there is room again')
            if i == 1:
                before = kafkatest.rss_bytes(pid)

        self.assertGrowth(pid, before, 8 << 20)
        self.assertEqual(self.values(), [])

    def test_room_of_the_refused(self):
        """Whoever was refused keeps no room, though the connection stays."""

        server = self.serve(http='kafka_max_memory 1m;')
        self.warm(server)
        item = b'{"value":"' + b'x' * 9000 + b'"},'
        chunk = b'%x\r\n%s\r\n' % (len(item), item)
        small = json.dumps({'value': 'x' * 200000})

        for end, status in ((chunk * 40, 413), (b'2\r\n}}\r\n', 400)):
            with self.subTest(status=status), server.connect() as s:
                s.sendall(b'POST /produce/t HTTP/1.1\r\nHost: a\r\n'
                          b'Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n'
                          + chunk * 100 + end)
                self.assertRefused(kafkatest.read_response(s), status)
                answer = server.post('/produce/t', small)
                self.assertEqual(answer.status, 200, answer)


if __name__ == '__main__':
    kafkatest.unittest.main()
