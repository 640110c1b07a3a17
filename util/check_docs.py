#!/usr/bin/python3
"""Checks every Markdown file by rendering it as CommonMark with tables.

    util/check_docs.py [FILE...]     without files: all Markdown of the project

It refuses:

  - a line in the middle of a paragraph that renders as a quotation, a list or
    a heading, because it happens to begin with ">", "-" or "#"
  - a backtick that opens no code, and a link with a wrong syntax
  - a table row that continues the row above, or has too many cells
  - dead links, dead anchors, and names of missing documents in other files
  - commands that no test runs: see code()

t/e2e/documents.py runs the blocks of code that blocks() returns.
"""

import collections
import json
import os
import re
import sys

from markdown_it import MarkdownIt

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

SKIPPED = {'.git', 'build', 'node_modules', '__pycache__'}

# The longest line of prose.  Tables and code may be longer.
COLUMNS = 100

# The languages of blocks of code.
COMMANDS = {'sh', 'console'}
OTHERS = {'nginx', 'js', 'json', 'text', 'yaml', 'c'}

# Documents that t/e2e/documents.py does not run, and the test that does.
RUN_ELSEWHERE = {'docs/moving-from-': 't/e2e/clients.py'}

# A command in a block whose language is not one of commands.
PROGRAM = re.compile(r'\s*(?:\$ |(?:apt|apt-get|bash|cp|curl|docker|kcat|kill|'
                     r'kubectl|mkdir|nginx|node|openssl|python3|rm|service|'
                     r'systemctl|(?:util|t)/[\w/.-]+)(?: [^.;{]|$))')

# The end of a cell whose sentence continues in the next row.
OPEN_END = re.compile(r'(?:[,;:(]| (?:a|an|and|as|by|had|of|or|the|to|with))$')

# The name of a document in a file that is not Markdown.
NAMED = re.compile(r'(?<![\w/.-])(?:docs/[\w/.*{}-]*\w|[A-Z]{4,}\.md)')

Block = collections.namedtuple('Block', 'file line language note text')


def names():
    """Yields the names of the project's text files."""

    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in SKIPPED
                            and not name.startswith('servroot'))
        for name in sorted(files):
            if not re.search(r'\.(?:png|svg|pyc)$', name):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8',
              errors='replace') as f:
        return f.read()


def parse(text):
    return MarkdownIt('commonmark').enable('table').parse(text)


def blocks(name):
    """Yields the blocks of code in a file."""

    for token in parse(read(name)):
        if token.type == 'fence':
            language, _, note = token.info.strip().partition(' ')
            yield Block(name, token.map[0] + 1, language, note.strip(),
                        token.content)


def anchor(inline):
    """Returns GitHub's anchor of a heading."""

    text = ''.join(child.content for child in inline.children
                   if child.type in ('text', 'code_inline'))
    return re.sub(r'[^\w\- ]', '', text.lower()).replace(' ', '-')


def anchors(text):
    found = collections.Counter()
    result = set()

    tokens = parse(text)
    for i, token in enumerate(tokens):
        if token.type == 'heading_open':
            name = anchor(tokens[i + 1])
            result.add(f'{name}-{found[name]}' if found[name] else name)
            found[name] += 1

    return result


class Page:
    def __init__(self, name):
        self.name = name
        self.text = read(name)
        self.lines = self.text.splitlines()
        self.tokens = parse(self.text)
        self.found = []

    def report(self, line, text):
        self.found.append(f'{self.name}:{line + 1}: {text}')

    def check(self):
        self.structure()
        self.inlines()
        self.tables()
        self.columns()

        for token in self.tokens:
            if token.type == 'code_block':
                self.report(token.map[0], 'indented code: use a fence, which '
                            'says what it is')
        for block in blocks(self.name):
            self.code(block)

        return self.found

    def structure(self):
        """Reports lines of a paragraph that render as something else."""

        ends = {token.map[1] for token in self.tokens
                if token.type == 'paragraph_open'}

        for token in self.tokens:
            if token.type in ('blockquote_open', 'bullet_list_open',
                              'ordered_list_open', 'heading_open', 'hr') \
                    and token.map[0] in ends and token.level == 0:
                what = token.type.removesuffix('_open').replace('_', ' ')
                self.report(token.map[0], f'this line of a paragraph renders '
                            f'as a {what}')

    def inlines(self):
        for token in self.tokens:
            if token.type != 'inline':
                continue

            text = ''.join(child.content for child in token.children
                           if child.type == 'text')
            if '`' in text:
                self.report(token.map[0], 'a backtick that opens no code')
            if re.search(r'\]\s?[\[(]', text):
                self.report(token.map[0], f'a link that is none: {text}')

            for child in token.children:
                target = child.attrs.get('href') or child.attrs.get('src')
                if target:
                    self.link(token.map[0], target)

    def link(self, line, target):
        if re.match(r'\w+:', target):
            return

        path, _, fragment = target.partition('#')
        name = os.path.normpath(os.path.join(os.path.dirname(self.name), path)
                                ) if path else self.name

        if not os.path.exists(os.path.join(ROOT, name)):
            self.report(line, f'a dead link: {target}')
        elif fragment and fragment not in anchors(read(name)):
            self.report(line, f'a dead anchor: {target}')

    def tables(self):
        inside = False
        row = above = None

        for token in self.tokens:
            if token.type == 'table_open':
                above, columns = None, self.cells(token.map[0])
            elif token.type == 'tbody_open':
                inside = True
            elif token.type == 'tbody_close':
                inside = False
            elif token.type == 'tr_open' and inside:
                row, line = [], token.map[0]
            elif token.type == 'inline' and inside:
                row.append(token.content.strip())
            elif token.type == 'tr_close' and inside:
                self.row(line, row, above, columns)
                above = row

    def cells(self, line):
        text = re.sub(r'\\\|', '', self.lines[line].strip())
        return text.strip('|').count('|') + 1

    def row(self, line, row, above, columns):
        if self.cells(line) > columns:
            self.report(line, f'a row of more than {columns} cells')
        elif above and not row[0]:
            self.report(line, 'a row that continues the one above: '
                        f'{" ".join(row).strip()}')
        elif above and OPEN_END.search(above[-1]):
            self.report(line, 'the row above ends in the middle of a sentence: '
                        f'{above[-1]}')

    def columns(self):
        fenced = {line for token in self.tokens
                  if token.type in ('fence', 'table_open')
                  for line in range(*token.map)}

        for line, text in enumerate(self.lines):
            if len(text) > COLUMNS and line not in fenced:
                self.report(line, f'{len(text)} columns')

    def code(self, block):
        """Checks that a test runs the commands in a block.

        t/e2e/documents.py runs the commands as they are, unless the words after
        the language name an exception:

            ```sh by t/package.sh        that file runs them
            ```sh not run: WHY           no test runs them

        Commands that are not run are compared with the scripts that they call.
        """

        line = block.line - 1

        if block.language not in COMMANDS:
            if block.language and block.language not in OTHERS:
                self.report(line, f'an unknown language: {block.language}')
            if block.language == 'json':
                self.json(line, block.text)
            for text in block.text.splitlines():
                if block.language in ('', 'text') and PROGRAM.match(text):
                    self.report(line, f'a command that no test runs: {text}')
            return

        elsewhere = [test for start, test in RUN_ELSEWHERE.items()
                     if self.name.startswith(start)]
        how, _, what = block.note.partition(' ')

        if how == 'by':
            self.runs(line, what, block.text)
        elif how == 'not':
            if not what.removeprefix('run:').strip():
                self.report(line, 'commands that no test runs, and not why')
            self.calls(line, block.text)
        elif how:
            self.report(line, f'"by FILE" or "not run: WHY", not {block.note}')
        elif not os.path.exists(os.path.join(
                ROOT, *elsewhere or ['t/e2e/documents.py'])):
            self.report(line, 'commands that no test runs')

    def json(self, line, text):
        for part in text.split('\n\n'):
            try:
                json.loads(part)
            except ValueError as e:
                self.report(line, f'invalid JSON: {e}')

    def runs(self, line, name, text):
        """Checks that a test contains each command.

        The test must contain the program with its first argument, or with all
        its options.
        """

        if not os.path.exists(os.path.join(ROOT, name)):
            self.report(line, f'no test {name}')
            return

        test = read(name)
        if self.name in test:
            return          # the test reads the commands from this page

        values = dict(re.findall(r'^(\w+)=([^\s"(]+)$', test, re.M))
        for _ in values:
            test = re.sub(r'\$(\w+)', lambda m: values.get(m[1], m[0]), test)
        test = ' '.join(test.replace('"', '').split())

        for command in self.commands(text):
            words = command.split()
            options = [word for word in words if word.startswith('-')]
            if ' '.join(words[:2]) not in test and not (
                    options and all(word in test for word in
                                    (words[0], *options))):
                self.report(line, f'{name} does not run: {command}')

    def calls(self, line, text):
        """Checks that the project's scripts in commands exist.

        Also checks that the scripts have the options.
        """

        for command in self.commands(text):
            name = re.match(r'(?:bash |python3 |node |go run )?'
                            r'((?:util|t|docs)/[\w/.-]+)', command)
            if not name:
                continue
            if not os.path.exists(os.path.join(ROOT, name[1])):
                self.report(line, f'no file {name[1]}')
                continue
            script = read(name[1])
            for option in re.findall(r' (--[\w-]+)', command):
                if option not in script:
                    self.report(line, f'{name[1]} has no {option}')

    @staticmethod
    def commands(text):
        text = text.replace('\\\n', ' ')
        return [re.split(r'\s+#', line)[0] for line in text.splitlines()
                if line.strip() and not line.startswith('#')]


def named_documents():
    """Yields missing documents that are named in files other than Markdown."""

    for name in names():
        if name.endswith('.md') or os.path.basename(name) == 'check_docs.py':
            continue
        for line, text in enumerate(read(name).splitlines()):
            for target in NAMED.findall(text):
                if not re.search(r'[*{}]', target) and not os.path.exists(
                        os.path.join(ROOT, target)):
                    yield f'{name}:{line + 1}: no document {target}'


def pages():
    return [name for name in names() if name.endswith('.md')]


def main():
    chosen = [os.path.relpath(name, ROOT) for name in sys.argv[1:]]
    found = [text for name in chosen or pages() for text in Page(name).check()]

    if not chosen:
        found += named_documents()

    for text in found:
        print(text)

    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
