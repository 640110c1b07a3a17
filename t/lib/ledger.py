"""Stores the outcomes of millions of messages, in a few bytes for each.

Most of them are on disk.
"""

import array
import collections
import os
import struct
import tempfile
import threading

from outcomes import (
    ACKED, CUT_KEPT, CUT_NEW, MAYBE, NO, ODD, Outcome, YES)

KINDS = None, ACKED, YES, MAYBE, NO, CUT_NEW, CUT_KEPT, ODD

# era is the number of times that the topic was deleted and created again.

Entry = collections.namedtuple('Entry', 'outcome producer key era')

FORM = struct.Struct('<BBBBHHiq')
NO_PARTITION = 255

OFFSET_BITS = 40
PARTITION_BITS = 8


class Names:
    """Assigns a number to each name."""

    def __init__(self):
        self.lock = threading.Lock()
        self.all = [None]
        self.numbers = {None: 0}

    def number(self, name):
        with self.lock:
            if name not in self.numbers:
                self.numbers[name] = len(self.all)
                self.all.append(name)
            return self.numbers[name]


class Ledger:
    """A file with an entry for each message, in the order of their numbers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.file = tempfile.TemporaryFile()
        self.names = Names()
        self.taken = 0

    def close(self):
        self.file.close()

    def take(self, count):
        """Reserves `count` consecutive numbers; returns the first one."""

        with self.lock:
            first = self.taken
            self.taken += count
            return first

    def write(self, first, entries):
        data = b''.join(map(self.pack, entries))
        os.pwrite(self.file.fileno(), data, first * FORM.size)

    def pack(self, entry):
        outcome, producer, key, era = entry
        kind, topic, partition, offset, code = outcome

        return FORM.pack(
            KINDS.index(kind), self.names.number(topic),
            NO_PARTITION if partition is None else partition, producer,
            self.names.number(code), 0 if key is None else key + 1, era,
            -1 if offset is None else offset)

    def unpack(self, data):
        kind, topic, partition, producer, code, key, era, offset = (
            FORM.unpack(data))

        outcome = None if kind == 0 else Outcome(
            KINDS[kind], self.names.all[topic],
            None if partition == NO_PARTITION else partition,
            None if offset == -1 else offset, self.names.all[code])

        return Entry(outcome, producer, key - 1 if key else None, era)

    def __iter__(self):
        """Yields the entries from number 0 on.

        The outcome is None if no entry was written for a number.
        """

        for number in range(self.taken):
            data = os.pread(self.file.fileno(), FORM.size, number * FORM.size)
            yield self.unpack(data.ljust(FORM.size, b'\0'))


class Places:
    """The places where each message was found: few messages have several."""

    def __init__(self):
        self.names = Names()
        self.first = array.array('q')
        self.others = collections.defaultdict(list)

    def add(self, number, topic, partition, offset):
        place = self.names.number(topic)
        place = place << PARTITION_BITS | partition
        place = place << OFFSET_BITS | offset

        missing = number + 1 - len(self.first)
        if missing > 0:
            self.first.extend(array.array('q', [-1]) * missing)

        if self.first[number] == -1:
            self.first[number] = place
        else:
            self.others[number].append(place)

    def of(self, number):
        if number >= len(self.first) or self.first[number] == -1:
            return []

        return [self.unpack(place) for place in
                (self.first[number], *self.others.get(number, ()))]

    def unpack(self, place):
        topic = place >> OFFSET_BITS + PARTITION_BITS
        partition = place >> OFFSET_BITS & (1 << PARTITION_BITS) - 1

        return (self.names.all[topic], partition,
                place & (1 << OFFSET_BITS) - 1)
