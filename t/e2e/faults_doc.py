#!/usr/bin/python3
"""docs/faults.md names tests that there are, and all those of faults.py."""

import ast
import functools
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

NAME = re.compile(r'`([\w-]+\.(?:py|t)): ([^`]+)`')


def read(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as f:
        return f.read()


@functools.cache
def tests_of(file):
    """The names of a file's tests."""

    if file.endswith('.py'):
        return {node.name for node in ast.walk(ast.parse(
            read('t/e2e', file))) if isinstance(node, ast.FunctionDef)
            and node.name.startswith('test_')}

    return set(re.findall(r'^=== TEST \d+: (.+?)\s*$', read('t', file), re.M))


def rows(text):
    """The cells of the tables' rows, their heads aside."""

    lines = [line for line in text.splitlines() if line.startswith('|')]
    cells = [[cell.strip() for cell in line.strip('|').split('|')]
             for line in lines if not re.match(r'\|[ -]+\|', line)]

    return [row for row in cells if row[0] != 'fault']


def faults(text):
    """What is wrong with the tables."""

    found = []

    for row in rows(text):
        names = NAME.findall(row[-1])
        rest = NAME.sub('', row[-1]).strip(' ,')

        if len(row) != 3 or not names or rest:
            found.append(f'no row of a fault: {row}')

        for file, name in names:
            try:
                if name not in tests_of(file):
                    found.append(f'no test "{name}" in {file}')
            except FileNotFoundError:
                found.append(f'no file {file}')

    return found


class FaultsDoc(unittest.TestCase):
    def test_names_are_those_of_tests(self):
        text = read('docs/faults.md')
        self.assertEqual(faults(text), [])
        self.assertGreater(len(rows(text)), 50)

    def test_each_test_of_faults_is_named(self):
        named = {name for file, name in NAME.findall(read('docs/faults.md'))
                 if file == 'faults.py'}
        self.assertEqual(named, tests_of('faults.py'))

    def test_wrong_names_are_found(self):
        good = '| a | b | `life.py: test_quit`, `errors.t: no broker` |'
        self.assertEqual(faults(good), [])

        for bad in (good.replace('test_quit', 'test_quiet'),
                    good.replace('life.py', 'alive.py'),
                    good.replace('no broker', 'no brokers'),
                    good.replace('`life.py: test_quit`', 'by hand'),
                    '| a | b | by hand |', '| a | b | c | `life.py: test_quit` |'):
            self.assertEqual(len(faults(bad)), 1, bad)


if __name__ == '__main__':
    unittest.main()
