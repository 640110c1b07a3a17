"""A thread that calls nginx, one request after another."""

import collections
import http.client
import random
import socket
import threading
import time

import kafkatest

# The response is None if the connection was closed.  used is true if the
# connection had already carried a response.

Exchange = collections.namedtuple('Exchange', 'response used seconds')


class Caller(threading.Thread):
    """Callers with odd numbers keep their connections alive."""

    def __init__(self, number, port, seed):
        super().__init__()
        self.number = number
        self.port = port
        self.rand = random.Random(seed)
        self.keep = number % 2 == 1
        self.sock = None
        self.used = False

    def head(self, method, target, more=''):
        keep = 'keep-alive' if self.keep else 'close'
        return (f'{method} {target} HTTP/1.1\r\nHost: localhost\r\n'
                f'Connection: {keep}\r\n{more}\r\n').encode()

    def ask(self, request):
        start = time.monotonic()
        used = self.used

        try:
            response = self.answer(request)
        except (OSError, http.client.HTTPException):
            self.close()
            response = None

        return Exchange(response, used, time.monotonic() - start)

    def answer(self, request):
        if self.sock is None:
            self.sock = socket.create_connection(('127.0.0.1', self.port), 30)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        if self.rand.random() < 0.1:
            cut = self.rand.randrange(len(request))
            self.sock.sendall(request[:cut])
            time.sleep(self.rand.random() * 0.1)
            request = request[cut:]

        self.sock.sendall(request)
        answer = kafkatest.read_response(self.sock)

        self.used = True
        if answer.headers['Connection'] == 'close':
            self.close()

        return answer

    def close(self):
        self.used = False
        if self.sock is not None:
            self.sock.close()
            self.sock = None
