"""A minimal HTTP/2 client, for requests that common clients never send."""

import collections
import struct

import kafkatest


DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4


class Http2:
    def __init__(self, server, port=None):
        self.socket = server.connect(port=port)
        self.socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
        self.frame(SETTINGS, 0, 0)
        self.buffer = b''
        self.body = collections.defaultdict(bytes)
        self.ended = set()

    def frame(self, kind, flags, stream, payload=b''):
        self.socket.sendall(struct.pack('>I', len(payload))[1:]
                            + bytes([kind, flags]) + struct.pack('>I', stream)
                            + payload)

    def request(self, stream, method, path, end=True, headers=None):
        fields = {':method': method, ':path': path, ':scheme': 'http',
                  ':authority': 'a', **(headers or {})}
        block = b''.join(
            b'\0' + bytes([len(name)]) + name.encode()
            + bytes([len(value)]) + value.encode()
            for name, value in fields.items())
        self.frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                   block)

    def reset(self, stream):
        self.frame(RST_STREAM, 0, stream, struct.pack('>I', 8))     # CANCEL

    def read(self, stream):
        """Waits until a stream has ended, and returns its body."""

        while stream not in self.ended:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + self.length():
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError(f'closed before stream {stream} ended')
                self.buffer += data

            length = self.length()
            kind, flags = self.buffer[3], self.buffer[4]
            number, = struct.unpack('>I', self.buffer[5:9])
            payload = self.buffer[9:9 + length]
            self.buffer = self.buffer[9 + length:]

            if kind == DATA:
                self.body[number] += payload
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                self.ended.add(number)

        return self.body[stream]

    def length(self):
        return int.from_bytes(self.buffer[:3], 'big')

    def close(self):
        self.socket.close()


class Http2Nginx(kafkatest.Nginx):
    """An nginx whose port accepts only HTTP/2."""

    def get(self, target):
        client = Http2(self)
        try:
            client.request(1, 'GET', target)
            return kafkatest.Response(None, None, client.read(1))
        finally:
            client.close()
