#!/usr/bin/python3
"""protocol=raw: the request body is the value of a record in a real Kafka."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../lib'))

import http2
import kafkatest


EVERY_BYTE = bytes(range(256)) + b'\r\n\0\r\n0\r\n\r\n'

LOCATIONS = '''
        client_max_body_size 0;
        location /raw { kafka_produce main protocol=raw; }
        location /json { kafka_produce main protocol=json; }
        location /mirrored { mirror /raw/%(topic)s; return_taken; }
        location /bodiless {
            mirror_request_body off;
            mirror /raw/%(topic)s;
            return_taken;
        }
        location /fails {
            error_page 502 = @fallback;
            proxy_pass http://127.0.0.1:%(closed)d;
        }
        location @fallback { rewrite ^ /raw/%(topic)s last; }
        location /limited {
            client_max_body_size 1k;
            error_page 400 413 = @fallback;
            proxy_pass http://127.0.0.1:$server_port/taken;
        }
        location = /hook {
            kafka_produce main protocol=raw;
            kafka_topic %(topic)s;
            kafka_key $arg_id;
            kafka_partition $arg_to;
            kafka_response minimal;
        }
        location ~ ^/device/(?<device>[a-z]+)$ {
            kafka_produce main protocol=raw;
            kafka_topic %(topic)s;
            kafka_key $device force;
            kafka_partition 2 force;
        }
        location /forced {
            kafka_produce main protocol=raw;
            kafka_key $arg_id force;
        }
        location /by-header {
            kafka_produce main protocol=raw;
            kafka_topic $http_topic;
            add_header X-Topic $kafka_topic;
        }
        location /fixed {
            kafka_produce main;
            kafka_topic %(topic)s;
            kafka_key fixed;
            kafka_partition 1;
            if ($arg_if) { }
        }
        location /recursive {
            kafka_produce main protocol=raw;
            kafka_topic $kafka_topic;
        }
        location /taken { return 200; }'''.replace(
            'return_taken',
            'proxy_pass http://127.0.0.1:$server_port/taken')


def chunked(*pieces):
    return b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in pieces) + \
        b'0\r\n\r\n'


class Raw(kafkatest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafkatest.Kafka()
        cls.addClassCleanup(cls.kafka.stop)

    def setUp(self):
        self.topic = self.id().rpartition('.')[2]
        self.kafka.topic(self.topic, 4)
        self.path = f'/raw/{self.topic}'
        self.server = self.serve()

    def serve(self, *properties):
        return self.nginx(
            kafkatest.producer(self.kafka.bootstrap, *properties),
            LOCATIONS % {'topic': self.topic,
                         'closed': kafkatest.free_port()})

    def records(self):
        return kafkatest.read_topic(self.kafka.bootstrap, self.topic)

    def record(self, metadata):
        """Returns the record that an answer's metadata are about."""

        record, = [r for r in self.records() if (r.partition, r.offset) ==
                   (metadata['partition'], metadata['offset'])]
        self.assertEqual(metadata, {
            'topic': self.topic, 'partition': record.partition,
            'offset': record.offset, 'timestamp': record.timestamp})
        return record

    def check_stored(self, answer):
        """Returns the record that the answer is about."""

        self.assertEqual(answer.status, 200, answer)
        return self.record(answer.json)

    def check_record(self, answer, value, key, partition=None):
        record = self.check_stored(answer)
        self.assertEqual((record.value, record.key), (value, key))
        if partition is not None:
            self.assertEqual(record.partition, partition)

    def check_refused(self, answer, status, text):
        self.assertEqual(answer.status, status, answer)
        self.assertIn(text, answer.json['error'])
        self.assertEqual(answer.json['status'], status)

    def send(self, head, body=b'', method='POST'):
        return self.server.raw([f'{method} {self.path} {head}\r\n\r\n'.encode()
                                + body])

    def test_every_byte(self):
        for method in 'POST', 'PUT':
            record = self.check_stored(self.server.request(
                method, f'{self.path}?key=a%00b+c&partition=3', EVERY_BYTE,
                {'Content-Type': 'image/png; x="y"'}))
            self.assertEqual(record.value, EVERY_BYTE)
            self.assertEqual(record.key, b'a\0b c')
            self.assertEqual(record.partition, 3)
            self.assertEqual(record.headers,
                             [('content-type', b'image/png; x="y"')])

    def test_no_bytes(self):
        for path in self.path, self.path + '/':
            record = self.check_stored(self.server.request('POST', path, b''))
            self.assertEqual((record.value, record.key, record.headers),
                             (b'', None, []))
        record = self.check_stored(
            self.server.request('POST', f'{self.path}?key', b'v'))
        self.assertEqual((record.value, record.key), (b'v', b''))

    def test_tombstone(self):
        record = self.check_stored(self.server.request(
            'DELETE', f'{self.path}?key=k', b'ignored',
            {'Content-Type': 'text/plain'}))
        self.assertEqual((record.value, record.key, record.headers),
                         (None, b'k', []))
        self.check_refused(self.server.request('DELETE', self.path), 400,
                           'needs the argument "key"')

    def test_tombstone_with_the_key_of_the_location(self):
        """With "force", the key of the request does not count."""

        path = f'/forced/{self.topic}?key=k'
        self.check_refused(self.server.request('DELETE', path), 400,
                           '"kafka_key" gives none')
        self.check_record(self.server.request('DELETE', f'{path}&id=7'),
                          None, b'7')
        self.check_record(self.server.request('POST', path, b'v'), b'v', None)

    def test_ignored_body_needs_no_memory(self):
        self.server = self.nginx(
            'kafka_max_memory 64k;' + kafkatest.producer(self.kafka.bootstrap),
            LOCATIONS % {'topic': self.topic, 'closed': 9})
        self.path += '?key=k'
        answer = self.send('HTTP/1.1\r\nHost: a\r\nContent-Length: 70000',
                           bytes(70000), 'DELETE')
        self.assertEqual(self.check_stored(answer).key, b'k')

    def test_chunked(self):
        for size in 0, 1, 1023, 1024, 1025, 65536, 300001:
            body = (EVERY_BYTE * (size // len(EVERY_BYTE) + 1))[:size]
            pieces = [p for p in (body[:7], body[7:size // 2],
                                  body[max(size // 2, 7):]) if p]
            record = self.check_stored(self.send(
                'HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked',
                chunked(*pieces)))
            self.assertEqual(record.value, body)

    def test_http_1_0(self):
        record = self.check_stored(
            self.send('HTTP/1.0\r\nContent-Length: 3', b'abc'))
        self.assertEqual(record.value, b'abc')

    def test_length_required(self):
        """nginx has no body for such a request, whatever follows."""

        for version in 'HTTP/1.0', 'HTTP/1.1\r\nHost: a\r\nConnection: close':
            for method in 'POST', 'PUT':
                self.check_refused(self.send(version, method=method), 411,
                                   '"Content-Length"')
        self.assertEqual(self.records(), [])

    def test_http2(self):
        server = self.nginx(kafkatest.producer(self.kafka.bootstrap), f'''
            listen 127.0.0.1:{(port := kafkatest.free_port())} http2;'''
                            + LOCATIONS % {'topic': self.topic, 'closed': 9})
        client = http2.Http2(server, port)
        client.request(1, 'POST', self.path, end=False)
        client.frame(http2.DATA, 0, 1, EVERY_BYTE)
        client.frame(http2.DATA, http2.END_STREAM, 1, b'end')
        self.assertIn(b'"offset":0', client.read(1))
        client.request(3, 'POST', self.path, end=False,
                       headers={'content-length': '3'})
        client.frame(http2.DATA, 0, 3, b'end')
        kafkatest.wait_for(lambda: server.has_read(client.socket))
        client.frame(http2.DATA, http2.END_STREAM, 3)
        self.assertIn(b'"offset":', client.read(3))
        self.assertEqual({r.value for r in self.records()},
                         {EVERY_BYTE + b'end', b'end'})
        client.socket.close()

    def test_refused(self):
        for method in 'GET', 'HEAD', 'OPTIONS', 'PATCH':
            answer = self.server.request(method, self.path)
            self.assertEqual(answer.status, 405, answer)
            self.assertEqual(answer.headers['Allow'], 'POST, PUT, DELETE')

        for path, status, text in (
                ('/raw', 404, 'a topic must follow'),
                ('/raw/', 404, 'a topic must follow'),
                (f'{self.path}/x', 404, 'must end after the topic'),
                ('/raw/a%2Fb', 400, ''),
                ('/raw/a%20b', 400, 'the topic in the path'),
                (f'{self.path}?key=%zz', 400, 'argument "key"'),
                (f'{self.path}?partition=', 400, 'argument "partition"'),
                (f'{self.path}?partition=-1', 400, 'argument "partition"'),
                (f'{self.path}?partition=2147483648', 400, 'to 2147483647'),
                (f'{self.path}?partition=4', 400, 'has no partition 4')):
            with self.subTest(path=path):
                answer = self.server.request('POST', path, b'v')
                if text:
                    self.check_refused(answer, status, text)
                else:
                    self.assertIn(answer.status, (400, 404), answer)
        self.assertEqual(self.records(), [])

    def test_too_large(self):
        """The answer comes before the body if its length is known."""

        self.server = self.serve('message.max.bytes 1000')
        self.check_refused(
            self.send('HTTP/1.1\r\nHost: a\r\nContent-Length: 1001'),
            413, '"message.max.bytes"')
        self.check_refused(
            self.send('HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked',
                      chunked(b'a' * 600, b'b' * 600)),
            413, '"message.max.bytes"')
        self.check_refused(self.server.request('POST', self.path, b'a' * 999),
                           413, '"message.max.bytes"')      # with its overhead
        self.assertEqual(self.records(), [])

    def test_buffered(self):
        for path in '/mirrored', '/fails':
            with self.subTest(path=path):
                before = len(self.records())
                answer = self.server.request('POST', path, EVERY_BYTE * 400)
                self.assertEqual(answer.status, 200, answer)
                kafkatest.wait_for(lambda n=before: len(self.records()) > n)
                self.assertEqual([r.value for r in self.records()][before:],
                                 [EVERY_BYTE * 400])

    def test_no_empty_record_instead_of_a_body_that_is_lost(self):
        """A mirror without the body, and a body that ended too soon."""

        answer = self.server.request('POST', '/bodiless', b'body')
        self.assertEqual(answer.status, 200, answer)
        kafkatest.wait_for(lambda: 'the request body was discarded'
                           in self.server.log())
        with self.server.connect() as s:
            s.sendall(f'POST {self.path} HTTP/1.1\r\nHost: a\r\n'
                      'Content-Length: 5\r\n\r\nabc'.encode())
        self.assertEqual(self.server.get('/taken').status, 200)
        self.assertEqual(self.records(), [])

    def test_no_record_of_the_part_of_a_body_that_was_read(self):
        """Another location stops reading at an error, and passes it on."""

        head = (b'POST /limited HTTP/1.1\r\nHost: a\r\n'
                b'Transfer-Encoding: chunked\r\n\r\n')
        large = chunked(b'x' * 2000)
        for pieces in ([head + large], [head + b'1\r\na\r\n', large],
                       [head + b'zz\r\n'], [head + b'1\r\na\r\n', b'zz\r\n']):
            with self.subTest(pieces=pieces):
                self.check_refused(self.server.raw(pieces, pause=0.1), 500,
                                   'read only in part')

        server = self.nginx(kafkatest.producer(self.kafka.bootstrap), f'''
            listen 127.0.0.1:{(port := kafkatest.free_port())} http2;'''
                            + LOCATIONS % {'topic': self.topic, 'closed': 9})
        client = http2.Http2(server, port)
        client.request(1, 'POST', '/limited', end=False)
        client.frame(http2.DATA, 0, 1, b'x' * 2000)
        self.assertIn(b'read only in part', client.read(1))
        client.close()
        self.assertEqual(self.records(), [])

    def test_topic_key_and_partition_of_the_location(self):
        """The key of the request comes first, except with "force"."""

        answer = self.server.request('POST', '/hook?id=7&to=3', b'a')
        self.assertEqual((answer.status, answer.body), (204, b''))
        self.assertNotIn('Preference-Applied', answer.headers)
        answer = self.server.request('POST', '/hook?key=k&id=7&to=', b'b')
        self.assertEqual(answer.status, 204, answer)
        answer = self.server.request('DELETE', '/hook?id=7')
        self.assertEqual(answer.status, 204, answer)
        self.check_refused(self.server.request('DELETE', '/hook?id='), 400,
                           'needs the argument "key"')
        self.assertEqual(
            {(r.value, r.key) for r in self.records()},
            {(b'a', b'7'), (b'b', b'k'), (None, b'7')})

        self.check_record(self.server.request(
            'POST', '/device/abc?key=forged&partition=0', b'c'),
            b'c', b'abc', 2)
        self.check_refused(
            self.server.request('POST', '/hook?to=x', b'd'), 400,
            '"kafka_partition" gives no integer')

    def test_topic_by_a_variable(self):
        answer = self.server.request('POST', '/by-header/ignored/path', b'v',
                                     {'Topic': self.topic})
        self.check_record(answer, b'v', None)
        self.assertEqual(answer.headers['X-Topic'], self.topic)
        for headers in {}, {'Topic': 'a b'}, {'Topic': '..'}:
            self.check_refused(
                self.server.request('POST', '/by-header', b'v', headers), 400,
                'gives no valid topic')

    def test_recursion(self):
        self.check_refused(self.server.request('POST', '/recursive', b'v'),
                           400, 'gives no valid topic')

    def test_topic_key_and_partition_of_a_location_with_json(self):
        for path in '/fixed', '/fixed?if=1', f'/fixed/{self.topic}':
            for message, key, partition in (
                    ({}, b'fixed', 1),
                    ({'key': None}, b'fixed', 1),
                    ({'key': ''}, b'', 1),
                    ({'key': 'k', 'partition': 3}, b'k', 3),
                    ({'topic': self.topic}, b'fixed', 1)):
                answer = self.server.post(path, [{'value': 'v', **message}])
                self.assertEqual(answer.status, 200, answer)
                metadata, = answer.json
                record = self.record(metadata)
                self.assertEqual((record.key, record.partition),
                                 (key, partition), (path, message))
        answer = self.server.get(f'/fixed/{self.topic}/hello')
        self.check_record(answer, b'hello', b'fixed', 1)
        self.check_refused(self.server.get('/fixed/other/hello'), 400,
                           'not the only topic')
        self.check_refused(
            self.server.post('/fixed', {'value': 'v', 'topic': 'other'}), 400,
            'field "topic"')

    def test_json_location_names_the_protocol(self):
        hint = 'a location with "protocol=raw" takes any body'
        for body in b'\x89PNG', b' \n\tname=value', b'"text"', b'1':
            self.check_refused(self.server.request(
                'POST', f'/json/{self.topic}', body), 400, hint)
        for body in b'', b' ', b'{"value"', b'[1]', b' {}':
            answer = self.server.request('POST', f'/json/{self.topic}', body)
            self.assertEqual(answer.status, 400, answer)
            self.assertNotIn('raw', answer.json['error'])

    def test_minimal(self):
        for path, body in (self.path, b'v'), (f'/json/{self.topic}',
                                              b'{"value":"v"}'):
            for prefer in ('return=minimal', 'respond-async, Return="minimal"',
                           'wait=1;x, return = minimal ; foo'):
                answer = self.server.request('POST', path, body,
                                             {'Prefer': prefer})
                self.assertEqual((answer.status, answer.body), (204, b''))
                self.assertEqual(answer.headers['Preference-Applied'],
                                 'return=minimal')
                self.assertNotIn('Content-Type', answer.headers)
            for prefer in ('return=representation', 'return', 'xreturn=minimal',
                           'x; return=minimal', 'return=minimally'):
                answer = self.server.request('POST', path, body,
                                             {'Prefer': prefer})
                self.assertEqual(answer.status, 200, prefer)
                self.assertNotIn('Preference-Applied', answer.headers)
        self.assertEqual({r.value for r in self.records()}, {b'v'})
        answer = self.server.request('POST', '/raw/no-such-topic', b'v',
                                     {'Prefer': 'return=minimal'})
        self.assertEqual(answer.status, 404, answer)
        self.assertNotIn('Preference-Applied', answer.headers)


if __name__ == '__main__':
    kafkatest.unittest.main()
