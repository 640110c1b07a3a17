#!/usr/bin/python3
"""Every error of the librdkafka at hand has its row in docs/errors.md, and the
rows say what the module does.
"""

import ctypes
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

ENTRY = re.compile(
    r'\{ RD_KAFKA_RESP_ERR_(\w+), (\d{3}),\s+([A-Z|]+|0),\s+([^}]*?)\s*\}')
MACRO = re.compile(r'^#define (NGX_\w+)\s*\\\n\s*((?:.*\\\n)*.*)$', re.M)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
ROW = re.compile(
    r'^\| `(\w+)` \| (\d{3}) \| (yes|no) \| (.*?) \| (.*?) \|$', re.M)
OTHERS = re.compile(r'^# Codes that no producer gets$(.*)', re.M | re.S)

# Fields of rd_kafka_err_descs that are limits, not errors, and success.
NO_ERRORS = ('_BEGIN', '_END', '_END_ALL', 'NO_ERROR')


class Descriptor(ctypes.Structure):
    _fields_ = [('code', ctypes.c_int), ('name', ctypes.c_char_p),
                ('text', ctypes.c_char_p)]


def read(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as f:
        return f.read()


def librdkafka():
    """The names of its errors."""

    library = ctypes.CDLL('librdkafka.so.1')
    descriptors = ctypes.POINTER(Descriptor)()
    count = ctypes.c_size_t()
    library.rd_kafka_get_err_descs(ctypes.byref(descriptors),
                                   ctypes.byref(count))

    # what lies between two ranges of codes has no text

    return {d.name.decode() for d in descriptors[:count.value]
            if d.name and d.text} - {*NO_ERRORS}


def text(expression):
    """What a C expression of string literals says."""

    return ''.join(STRING.findall(expression)).replace('\\"', '"')


class Errors(unittest.TestCase):
    def setUp(self):
        source = read('src/kafka/ngx_http_kafka_errors.c')
        macros = {name: text(value) for name, value in MACRO.findall(source)}
        self.entries = {
            name: (status, 'yes' if 'RETRIABLE' in flags else 'no',
                   'may have it' if 'UNCERTAIN' in flags else
                   'does not have it' if 'REFUSED' in flags else '',
                   macros.get(remedy) or text(remedy))
            for name, status, flags, remedy in ENTRY.findall(source)}
        page = read('docs/errors.md')
        self.rows = {name: row for name, *row in ROW.findall(page)}
        self.others = set(re.findall(r'`(\w+)`', OTHERS.search(page)[1]))

    def test_librdkafka_has_no_other(self):
        names = librdkafka()
        self.assertGreater(len(names), 150)
        self.assertEqual(
            names - {*self.rows} - self.others, set(),
            'decide what these mean to a producer: give them a row in '
            'docs/errors.md, or a place in its list of others')

    def test_rows_say_what_the_module_does(self):
        self.assertGreater(len(self.entries), 70)
        self.assertEqual({name: tuple(row) for name, row in self.rows.items()},
                         self.entries)
        self.assertEqual({*self.rows} & self.others, set())


if __name__ == '__main__':
    unittest.main()
