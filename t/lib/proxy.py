"""A proxy between nginx and a broker."""

import socket
import threading


class Proxy:
    """Between nginx and a broker: it can swallow answers and cut."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.swallow = False
        self.swallowed = 0      # bytes
        self.sockets = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                broker = socket.create_connection(('127.0.0.1', self.target))
            except OSError:
                client.close()
                continue
            self.sockets += [client, broker]
            for source, sink in (client, broker), (broker, client):
                threading.Thread(target=self.pump, daemon=True,
                                 args=(source, sink, sink is client)).start()

    def pump(self, source, sink, answers):
        try:
            while (data := source.recv(65536)):
                if answers and self.swallow:
                    self.swallowed += len(data)
                else:
                    sink.sendall(data)
        except OSError:
            pass
        self.end(source, sink)
        source.close()

    @staticmethod
    def end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass            # another thread was first

    def cut(self):
        self.end(*self.sockets)
        self.sockets.clear()

    def stop(self):
        self.end(self.listener)
        self.listener.close()
        self.cut()
