"""Requests of Kafka's protocol that confluent_kafka 1.7 cannot send.

Their fields are documented at https://kafka.apache.org/protocol.
"""

import socket
import struct

from kafkatest import receive

ELECT_LEADERS = 43, 1
INCREMENTAL_ALTER_CONFIGS = 44, 0
ALTER_PARTITION_REASSIGNMENTS = 45, 0

PREFERRED = 0                   # an election type
TOPIC = 2                       # a resource type
SET = 0                         # an operation on a property

NO_TAGS = b'\0'                 # ends a structure with "compact" lengths

PATIENCE = 2                    # seconds to wait for a node's answer


class Admin:
    """Asks the nodes one after another, because some may hang or be down."""

    def __init__(self, bootstrap):
        self.nodes = [address.split(':') for address in bootstrap.split(',')]

    def move_leader(self, topic, partition, replicas):
        """Makes the first of `replicas` the leader.

        `replicas` are the nodes that have the partition already.
        """

        nodes = struct.pack('>B', len(replicas) + 1) + b''.join(
            struct.pack('>i', node) for node in replicas)
        name = topic.encode()
        self.ask(ALTER_PARTITION_REASSIGNMENTS, NO_TAGS, struct.pack(
            f'>iBB{len(name)}sBi', PATIENCE * 1000, 2, len(name) + 1, name, 2,
            partition) + nodes + NO_TAGS * 3)

        self.ask(ELECT_LEADERS, b'', struct.pack('>bi', PREFERRED, 1)
                 + string(topic)
                 + struct.pack('>iii', 1, partition, PATIENCE * 1000))

    def set_property(self, topic, name, value):
        self.ask(INCREMENTAL_ALTER_CONFIGS, b'', struct.pack('>ib', 1, TOPIC)
                 + string(topic) + struct.pack('>i', 1) + string(name)
                 + struct.pack('>b', SET) + string(value)
                 + struct.pack('>?', False))

    def ask(self, api, header_end, body):
        """Returns the answer of the first node that answers, as bytes."""

        key, version = api
        request = (struct.pack('>hhi', key, version, 1) + string('test')
                   + header_end + body)

        for host, port in self.nodes:
            try:
                with socket.create_connection((host, port), PATIENCE) as s:
                    s.sendall(struct.pack('>i', len(request)) + request)
                    length, = struct.unpack('>i', receive(s, 4))
                    return receive(s, length)
            except (OSError, EOFError):
                pass

        raise OSError('no node answers')


def string(text):
    return struct.pack('>h', len(text)) + text.encode()
