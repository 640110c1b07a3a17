#!/usr/bin/python3
"""docs/faults.md names tests that there are, and all those of faults_*.py;
and they look at what it says.
"""

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


# What a row may claim, and what its tests must do then: a regular expression
# of each.  Tests read Kafka by these functions.

READS = r'\bread_topic\(|\beach_(?:marked_)?record\(|^--- (?:no_)?records$'
CLAIMS = (
    (r'\bin Kafka\b|, once\b|\bmessage once\b|\btwice\b|\bdoubled\b|'
     r'\bnothing\b.* produced\b', READS),
    (r'\bmemory\b.*(?:below|return|again)',
     r'\b(?:rss_bytes|peak_bytes|assertGrowth)\('),
    (r'\bCPU\b', r'\bcpu_seconds\('),
    (r'\bthe log says\b|\[error\]', r'\blog\(\)|^--- error_log'),
)

STATUS = re.compile(r'(?<![\d,])([2-5]\d\d)(?![\d,])')
CODE = re.compile(r'`(_[A-Z]+(?:_[A-Z]+)*|[A-Z]+(?:_[A-Z]+)+)`')
FIGURE = re.compile(r'(?<![\w.,])(\d[\d,]*(?:\.\d+)?) (MB|kB|ms|s|levels)\b')

# What else stands for a figure with a unit in a test.
SCALES = {'s': (1000,), 'MB': (1 << 20, 1000000), 'kB': (1024, 1000)}

# An assertion that looks at nothing else shows little of what became of
# messages; it is enough where a row has only statuses.
LITTLE = re.compile(r'\.status\b(?!\()|\bworker_pids\(|\.(?:wait|stop)\(')
MORE = re.compile(r'\.(?:json|body|headers)\b|\blog\(|\bmonotonic\(')
ASSERTION = re.compile(r'assert[A-Z]\w*|wait_for|fail')


@functools.cache
def module(path):
    """A file's tree, and the classes and functions that it has by a name,
    those of the tests' files that it imports among them.  What all tests have
    of kafkatest.py proves nothing of one of them.
    """

    tree = ast.parse(read(path))
    names = {}

    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported = ([alias.name for alias in node.names]
                        if isinstance(node, ast.Import) else [node.module])
            for name in imported:
                for other in f't/lib/{name}.py', f't/e2e/{name}.py':
                    if name != 'kafkatest' \
                            and os.path.exists(os.path.join(ROOT, other)):
                        names.update(module(other)[1])

    names.update((node.name, node) for node in tree.body
                 if isinstance(node, (ast.ClassDef, ast.FunctionDef)))

    return tree, names


def methods_of(names, a_class):
    """By their names, those of the base classes among them."""

    found = {}

    for base in reversed(a_class.bases):
        name = base.attr if isinstance(base, ast.Attribute) else base.id
        if name in names and names[name] is not a_class:
            found.update(methods_of(names, names[name]))

    found.update((node.name, node) for node in a_class.body
                 if isinstance(node, ast.FunctionDef))

    return found


@functools.cache
def reached(file, test):
    """A test, and the methods of its class and the functions that it uses."""

    tree, names = module(f't/e2e/{file}')
    functions = {name: node for name, node in names.items()
                 if isinstance(node, ast.FunctionDef)}
    methods = next(methods for methods in (
        methods_of(names, node) for node in tree.body
        if isinstance(node, ast.ClassDef)) if test in methods)
    found = {name: methods[name] for name in ('setUp', test)
             if name in methods}

    for node in (queue := list(found.values())):
        for part in ast.walk(node):
            name = None
            if isinstance(part, ast.Attribute):
                name, scope = part.attr, (
                    methods if ast.unparse(part.value) in ('self', 'super()')
                    else functions)
            elif isinstance(part, ast.Name):
                name, scope = part.id, functions
            if name and name in scope and name not in found:
                found[name] = scope[name]
                queue.append(scope[name])

    return list(found.values())


@functools.cache
def source_of(file, name):
    """Of a test: what it runs, with the constants of its file."""

    if not file.endswith('.py'):
        block = re.search(rf'^=== TEST \d+: {re.escape(name)}\s*$(.*?)'
                          r'(?=^=== TEST|\Z)', read('t', file),
                          re.M | re.S).group(1)
        return block if '--- error_code' in block else block + '200'

    tree = module(f't/e2e/{file}')[0]
    constants = [node for outer in ast.walk(tree)
                 if isinstance(outer, (ast.Module, ast.ClassDef))
                 for node in outer.body if isinstance(node, ast.Assign)]

    return '\n'.join(map(ast.unparse, reached(file, name) + constants))


def asserts_much(file, name):
    """That a test looks at more than a status or a process."""

    if not file.endswith('.py'):
        return re.search(r'^--- (?:json_body|response_|raw_response_|cases|'
                         r'records|no_records|error_log)',
                         source_of(file, name), re.M) is not None

    for function in reached(file, name):
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                return True
            if isinstance(node, ast.Call) \
                    and ASSERTION.fullmatch(
                        getattr(node.func, 'attr',
                                getattr(node.func, 'id', ''))):
                text = ast.unparse(node)
                if not LITTLE.search(text) or MORE.search(text):
                    return True

    return False


def has_figure(text, number, unit):
    """That a number occurs, in its unit or another one."""

    number = float(number.replace(',', ''))
    if number == int(number):
        number = int(number)

    return any(re.search(rf'(?<![\d.]){value}(?!\.?\d)', text) for value in
               (number, *(int(number * scale)
                          for scale in SCALES.get(unit, ()))))


def unproven(text):
    """What rows say that their tests do not look at."""

    found = []

    for row in rows(text):
        names = NAME.findall(row[-1])
        sources = '\n'.join(source_of(*name) for name in names)
        says = row[1]

        for claim, proof in CLAIMS:
            if re.search(claim, says) \
                    and not re.search(proof, sources, re.M):
                found.append(f'{claim}: {row}')

        for words in STATUS.findall(says) + CODE.findall(says):
            if words not in sources:
                found.append(f'{words}: {row}')

        for number, unit in FIGURE.findall(says):
            if not has_figure(sources, number, unit):
                found.append(f'{number} {unit}: {row}')

        if re.sub(r'[\d\s,;.]|or|for each', '', says):
            found += [f'{file}: {name} asserts little: {row}'
                      for file, name in names
                      if not asserts_much(file, name)]

    return found


class FaultsDoc(unittest.TestCase):
    maxDiff = None

    def test_names_are_those_of_tests(self):
        text = read('docs/faults.md')
        self.assertEqual(faults(text), [])
        self.assertGreater(len(rows(text)), 50)

    def test_what_rows_say_is_looked_at(self):
        self.assertEqual(unproven(read('docs/faults.md')), [])

    def test_what_is_not_looked_at_is_found(self):
        good = ('| a | 200; memory stays below 100 MB, CPU returns |'
                ' `life.py: test_ten_thousand_topics` |\n'
                '| a | 504, `maybe`; each message once | `life.py: '
                'test_no_acknowledgement_in_time`, `life.py: test_quit` |\n'
                '| a | 200 | `life.py: test_reload_while_requests_wait` |')
        self.assertEqual(unproven(good), [])

        for old, new in (('100 MB', '90 MB'), ('200; memory', '413; memory'),
                         ('returns', 'returns within 7 s'),
                         ('`maybe`', '`_STATE`'),
                         (', `life.py: test_quit`', ''),
                         ('test_ten_thousand_topics', 'test_client_leaves_while'
                          '_it_waits'), ('| 200 |', '| 200, in order |')):
            self.assertIn(old, good)
            self.assertNotEqual(unproven(good.replace(old, new)), [], new)

    def test_each_test_of_faults_is_named(self):
        files = [file for file in os.listdir(os.path.join(ROOT, 't/e2e'))
                 if re.fullmatch(r'faults_\w+\.py', file)
                 and file != os.path.basename(__file__)]
        self.assertGreater(len(files), 1)

        names = NAME.findall(read('docs/faults.md'))
        for file in files:
            with self.subTest(file=file):
                self.assertEqual({name for found, name in names
                                  if found == file}, tests_of(file))

    def test_wrong_names_are_found(self):
        good = '| a | b | `life.py: test_quit`, `errors.t: no broker` |'
        self.assertEqual(faults(good), [])

        for bad in (good.replace('test_quit', 'test_quiet'),
                    good.replace('life.py', 'alive.py'),
                    good.replace('no broker', 'no brokers'),
                    good.replace('`life.py: test_quit`', 'by hand'),
                    '| a | b | by hand |',
                    '| a | b | c | `life.py: test_quit` |'):
            self.assertEqual(len(faults(bad)), 1, bad)


if __name__ == '__main__':
    unittest.main()
