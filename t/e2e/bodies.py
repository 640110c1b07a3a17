#!/usr/bin/python3
"""Bodies that nginx has buffered before they come to a produce location, by a
mirror, a subrequest or an error_page, are read in turns of the event loop.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import kafkatest
from kafkatest import wait_for


TURN = 128 * 1024               # bytes in a turn, of NGX_HTTP_KAFKA_BODY_TURN
PIECE = re.compile(r'body piece of (\d+) bytes')

LOCATIONS = '''
        client_max_body_size 20m;
        location /produce { kafka_produce main; }
        location /mirrored/ {
            client_body_buffer_size %s;
            mirror /produce/t;
            proxy_pass http://127.0.0.1:$server_port/taken;
        }
        location /taken { client_body_buffer_size 20m; return 200; }
        location /fails/ {
            client_body_buffer_size %s;
            error_page 502 = /produce/t;
            proxy_pass http://127.0.0.1:%d/;
        }'''


def body(size):
    """A message, behind a field of so many bytes that is not read."""

    numbers = '1,' * (size // 2)
    return f'{{"ignored":[{numbers}1],"value":"v"}}'.encode()


class Buffered(kafkatest.TestCase):
    def setUp(self):
        self.broker = self.mock()
        self.broker.command('topic t 1')

    def serve(self, buffer):
        server = self.nginx(
            kafkatest.producer(self.broker.bootstrap),
            LOCATIONS % (buffer, buffer, kafkatest.free_port()),
            main='error_log debug.log debug;')
        with open(os.path.join(server.dir, 'debug.log'),
                  encoding='latin-1') as f:
            if '[debug]' not in f.read():
                self.skipTest('nginx has no debug log')
        return server

    def turns(self, server):
        """Bytes that were fed in each turn that had some."""

        turns = [0]
        with open(os.path.join(server.dir, 'debug.log'),
                  encoding='latin-1') as f:
            for line in f:
                if 'worker cycle' in line:
                    turns.append(0)
                elif match := PIECE.search(line):
                    turns[-1] += int(match[1])
        return [turn for turn in turns if turn]

    def values(self):
        return [record.value for record in
                kafkatest.read_topic(self.broker.bootstrap, 't')]

    def check(self, server, target, status):
        text = body(8000000)
        answer = server.post(target, text)
        self.assertEqual(answer.status, status, answer)
        wait_for(lambda: self.values() == [b'v'], what='the message')

        turns = self.turns(server)
        self.assertEqual(sum(turns), len(text))
        self.assertLessEqual(max(turns), TURN)

    def test_from_memory(self):
        self.check(self.serve('20m'), '/fails/', 200)

    def test_from_a_file(self):
        self.check(self.serve('16k'), '/fails/', 200)

    def test_a_mirror_from_memory(self):
        self.check(self.serve('20m'), '/mirrored/', 200)

    def test_a_mirror_from_a_file(self):
        self.check(self.serve('16k'), '/mirrored/', 200)

    def test_others_are_served_meanwhile(self):
        """A small message that comes later than the large one is first."""

        server = self.serve('20m')
        text = body(8000000)
        with server.connect() as s:
            s.sendall(b'POST /fails/ HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Length: %d\r\n\r\n' % len(text) + text)
            wait_for(lambda: self.turns(server), what='the first turn')
            answer = server.get('/produce/t/small')
            self.assertEqual(answer.status, 200, answer)
            self.assertLess(sum(self.turns(server)), len(text))
            self.assertEqual(kafkatest.read_response(s).status, 200)

    def test_the_client_leaves_meanwhile(self):
        server = self.serve('20m')
        text = body(8000000)
        with server.connect() as s:
            s.sendall(b'POST /fails/ HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Length: %d\r\n\r\n' % len(text) + text)
            wait_for(lambda: self.turns(server), what='the first turn')
        wait_for(lambda: sum(self.turns(server)) == len(text),
                 what='it is read to its end')
        self.assertEqual(server.get('/produce/t/after').status, 200)

    def test_a_bad_one_ends_early(self):
        server = self.serve('20m')
        answer = server.post('/fails/', b'[' + b'1,' * 4000000 + b'1]')
        self.assertEqual(answer.status, 400, answer)
        self.assertIn('message 0 must be an object', answer.json['error'])
        self.assertLessEqual(sum(self.turns(server)), TURN)


if __name__ == '__main__':
    kafkatest.unittest.main()
