"""Proxies between nginx and a broker."""

import queue
import socket
import struct
import threading

from kafkatest import receive


class Between:
    """Listens in the place of a broker, and connects nginx to it."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
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
            self.connected(client, broker)


class Proxy(Between):
    """A proxy that can drop answers and close connections."""

    def __init__(self, port):
        self.swallow = False
        self.swallowed = 0      # bytes
        self.sockets = []
        super().__init__(port)

    def connected(self, client, broker):
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
                pass            # another thread has closed it

    def cut(self):
        self.end(*self.sockets)
        self.sockets.clear()

    def stop(self):
        self.end(self.listener)
        self.listener.close()
        self.cut()


class Hold:
    """An answer that is held until let_go()."""

    def __init__(self, error):
        self.error = error      # replaces the broker's, unless None
        self.arrived = threading.Event()
        self.gate = threading.Event()

    def let_go(self):
        self.gate.set()


class Answers(Between):
    """A proxy that can hold a broker's answers, and change their errors.

    It holds the answer to a Produce request, which the broker has processed by
    then.  All answers of a connection keep their order.
    """

    def __init__(self, port):
        self.holds = {}         # by topic
        super().__init__(port)

    def hold(self, topic, error=None):
        """Holds the next answer for the topic.

        `error` is an error code of Kafka's protocol.
        """

        self.holds[topic] = hold = Hold(error)
        return hold

    def connected(self, client, broker):
        for s in client, broker:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        topics = {}             # of unanswered requests, by their ids
        answers = queue.Queue()
        for target, args in ((self.requests, (client, broker, topics)),
                             (self.answers, (broker, topics, answers)),
                             (self.pass_on, (answers, client, broker))):
            threading.Thread(target=target, args=args, daemon=True).start()

    @staticmethod
    def frame(source):
        """Returns a frame with its size of four bytes, or None at the end."""

        try:
            size = receive(source, 4)
            return size + receive(source, *struct.unpack('>i', size))
        except (OSError, EOFError):
            return None

    def requests(self, client, broker, topics):
        while (data := self.frame(client)) is not None:
            api, version, number = struct.unpack_from('>hhi', data, 4)
            if api == 0:
                topics[number] = self.topic(data, version)
            try:
                broker.sendall(data)
            except OSError:
                break
        Proxy.end(client, broker)

    @staticmethod
    def topic(data, version):
        """Returns the first topic of a Produce request."""

        if not 3 <= version <= 12:
            raise ValueError(f'version {version} of Produce')

        length, = struct.unpack_from('>h', data, 12)    # client.id
        at = 14 + max(length, 0)
        if version < 9:
            length, = struct.unpack_from('>h', data, at)  # transactional.id
            at += 2 + max(length, 0) + 10   # acks, time-out, count of topics
            length, = struct.unpack_from('>h', data, at)
            at += 2
        else:
            # tags, transactional.id, which is null, acks, time-out, count
            at += 1 + 1 + 6 + 1
            length = data[at] - 1
            at += 1
        return data[at:at + length].decode()

    @staticmethod
    def place(data, topic):
        """Returns where the answer about one partition has its error.

        Since version 9 lengths have a byte each, and tags are behind the id.
        """

        if data[8:12] == struct.pack('>i', 1):
            # size, id, 1, topic, 1, partition
            return 12 + 2 + len(topic) + 4 + 4
        return 8 + 1 + 1 + 1 + len(topic) + 1 + 4

    def answers(self, broker, topics, answers):
        while (data := self.frame(broker)) is not None:
            topic = topics.pop(struct.unpack_from('>i', data, 4)[0], None)
            hold = self.holds.pop(topic, None)
            if hold is not None and hold.error is not None:
                # the error, and then the offset

                at = self.place(data, topic)
                data = (data[:at] + struct.pack('>hq', hold.error, -1)
                        + data[at + 10:])
            answers.put((data, hold))
            if hold is not None:
                hold.arrived.set()
        answers.put((None, None))

    @staticmethod
    def pass_on(answers, client, broker):
        while (data := (item := answers.get())[0]) is not None:
            if item[1] is not None:
                item[1].gate.wait()
            try:
                client.sendall(data)
            except OSError:
                break
        Proxy.end(client, broker)
        client.close()
        broker.close()

    def stop(self):
        Proxy.end(self.listener)
        self.listener.close()
