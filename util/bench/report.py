"""Tables and the targets: medians of the rounds, and of their ratios."""

import collections
import json
import statistics
import string

MODULE = ('module', 1)
FLOOR = ('return 200', 1)
RAW = ('librdkafka', 1)
LUA = ('lua-resty-kafka', 1)
GO = ('Go service', 1)

TITLES = {
    'single': 'One message a request, one broker',
    'batch': 'Many messages a request, one broker; librdkafka floods',
    'replicas': 'Three brokers, replication 3',
    'peers': 'What one would take instead, one broker of Kafka 3.9',
}


def number(value):
    if value is None:
        return '-'
    if value >= 1000:
        return f'{value:,.0f}'
    return f'{value:.3g}' if value < 100 else f'{value:.0f}'


def table(rows):
    """Right-aligned columns, the first to the left."""

    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    for row in rows:
        print('  '.join([row[0].ljust(widths[0]),
                         *(cell.rjust(width) for cell, width
                           in zip(row[1:], widths[1:]))]).rstrip())


class Samples:
    """Finds the samples of a load; figures are lists, one a round."""

    def __init__(self, samples):
        self.found = collections.defaultdict(dict)
        self.whos = collections.defaultdict(dict)
        self.loads = collections.defaultdict(dict)

        for s in samples:
            if s['part'] not in TITLES:
                continue

            load = (s['size'], s['count'], s['connections'])
            who = (s['who'], s['workers'])
            self.loads[s['part']][load] = True
            self.whos[s['part'], load][who] = True
            self.found[s['part'], load, who][s['round']] = s

    def get(self, part, load, who, figure):
        rounds = self.found.get((part, load, who))

        if rounds is None:
            return None

        return [figure(rounds[i]) for i in sorted(rounds)]


def rate(s):
    return s['messages'] / s['seconds']


def cpu(s):
    """Microseconds a message."""

    return 1e6 * s['cpu'] / max(1, s['messages'])


def p50(s):
    return s.get('p50')


def p99(s):
    return s.get('p99')


def median(values):
    if values is None or None in values:
        return None

    return statistics.median(values)


def ratio(values, others):
    """The median of the ratios of each round."""

    if values is None or others is None:
        return None

    return statistics.median(a / b if b else 0
                             for a, b in zip(values, others))


def show_loads(samples, part):
    for load in samples.loads[part]:
        size, count, connections = load
        print(f'\n{TITLES[part]}: {size} bytes, '
              + (f'{count:,} a request, ' if count > 1 else '')
              + f'{connections} connection{"s"[:connections > 1]}')

        rows = [('', 'messages/s', '/ module', 'p50 us', 'p99 us',
                 'CPU us', '/ module', 'errors')]

        for who in samples.whos[part, load]:
            def get(figure, who=who):
                return samples.get(part, load, who, figure)

            name, workers = who
            rows.append((
                name + (f', {workers} workers' if workers > 1 else ''),
                number(median(get(rate))),
                number(ratio(get(rate),
                             samples.get(part, load, MODULE, rate))),
                number(median(get(p50))), number(median(get(p99))),
                number(median(get(cpu))),
                number(ratio(get(cpu), samples.get(part, load, MODULE, cpu))),
                str(sum(get(lambda s: s['errors'])))))

        table(rows)


def only(results, part):
    """The samples of a part that are no load, by what they are of."""

    groups = collections.defaultdict(list)

    for s in results['samples']:
        if s['part'] == part:
            groups[s.get('what', s.get('busy'))].append(s)

    return groups


def growth(samples):
    """kB from the second 100,000 messages to the last tenth."""

    pairs, = (s['samples'] for s in samples)
    last = pairs[-1][0]
    early = [kb for n, kb in pairs if 100_000 <= n < 200_000]
    late = [kb for n, kb in pairs if n >= 0.9 * last]

    return statistics.median(late) - statistics.median(early)


def peak(s):
    """Of what is allowed: 2 x the bodies and 450 bytes a message."""

    return 1024 * s['peak'] / (2 * s['body'] + 450 * s['messages'])


def middle(samples, name):
    return statistics.median(s[name] for s in samples)


def show_memory(groups):
    rows = [('Memory of a worker', 'body kB', 'messages', 'peak kB',
             '/ allowed')]

    for what, group in groups.items():
        if what == 'growth':
            pairs = group[0]['samples']
            print(f'RSS over {pairs[-1][0]:,} messages in batches of 1,000: '
                  f'{pairs[0][1]:,} kB after the first {pairs[0][0]:,}, '
                  f'{pairs[-1][1]:,} kB at the end, '
                  f'{max(kb for _, kb in pairs):,} kB at most\n')
            continue

        rows.append((what, number(group[0]['body'] / 1024),
                     number(group[0]['messages']),
                     number(middle(group, 'peak')),
                     number(statistics.median(map(peak, group)))))

    table(rows)


def show_fairness(groups):
    rows = [('return 200, 1 connection', 'p50 us', 'p99 us', 'max us',
             'longest turn, CPU us', 'by the clock')]

    for busy, group in groups.items():
        rows.append(('beside batches of 16 MB' if busy else 'alone', *(
            number(middle(group, name)) for name in (
                'p50', 'p99', 'max', 'turn_cpu', 'turn_clock'))))

    table(rows)


def show_first(groups):
    rows = [('One message, at once', 'median ms', 'max ms')]

    for what in sorted(groups):
        times = [s['ms'] for s in groups[what]]
        rows.append((what, number(statistics.median(times)),
                     number(max(times))))

    table(rows)


SHORT = {
    'max.in.flight.requests.per.connection': 'in flight',
    'enable.idempotence': 'idempotent',
    'sticky.partitioning.linger.ms': 'sticky',
}


def show_sweep(groups):
    """req/s (p50 in ms) of each set of properties; then how bad it gets."""

    cells = collections.defaultdict(lambda: collections.defaultdict(list))
    names = {}

    for s in groups[None]:
        names[json.dumps(s['properties'])] = s['properties']
        cells[s['brokers'], s['rtt'], s['partitions'], s['connections']][
            json.dumps(s['properties'])].append(s)

    letters = dict(zip(names, string.ascii_uppercase))
    worst = collections.defaultdict(lambda: float('inf'))

    for name, letter in letters.items():
        print(f'{letter}:', ', '.join(f'{SHORT.get(k, k)} {v}' for k, v
                                      in names[name].items()))

    rows = [('req/s (p50 ms)', *letters.values())]

    for (brokers, rtt, partitions, connections), cell in cells.items():
        rates = {v: statistics.median(map(rate, cell[v])) for v in cell}

        for v in cell:
            worst[v] = min(worst[v], rates[v] / max(1, *rates.values()))

        rows.append((
            f'{brokers}, {rtt} ms, {partitions} p., {connections} c.', *(
                f'{rates[v]:,.0f} ({number(middle(cell[v], "p50") / 1e3)})'
                if v in cell else '-' for v in letters)))

    rows.append(('the worst, of the best beside it',
                 *(number(worst[v]) for v in letters)))
    table(rows)


def show_keys(groups):
    """req/s (p50 in ms) of each; the module's of the Go service's."""

    cells = collections.defaultdict(lambda: collections.defaultdict(list))
    whos = {}

    for s in groups[None]:
        whos[s['who']] = True
        cells[s['rtt'], s['partitions'], s['keys']][s['who']].append(s)

    rows = [('Keys, 64 connections: req/s (p50 ms)', *whos, 'module / Go')]

    for (rtt, partitions, kind), cell in cells.items():
        rates = {who: [rate(s) for s in cell[who]] for who in whos}

        rows.append((
            f'{rtt} ms, {partitions} partition{"s"[:partitions > 1]}, {kind}',
            *(f'{statistics.median(rates[who]):,.0f} '
              f'({number(middle(cell[who], "p50") / 1e3)})' for who in whos),
            number(ratio(rates[MODULE[0]], rates[GO[0]]))))

    table(rows)


def parts_sum(samples, connections):
    """req/s against 1 / (1 / return 200 + 1 / librdkafka)."""

    load = (100, 1, connections)
    module, floor, raw = (samples.get('single', load, who, rate)
                          for who in (MODULE, FLOOR, RAW))

    return module and ratio(module, [1 / (1 / f + 1 / r)
                                     for f, r in zip(floor, raw)])


def over_raw(samples):
    load = (100, 1, 1)
    module = samples.get('single', load, MODULE, p50)
    raw = samples.get('single', load, RAW, p50)

    return module and statistics.median(m - r for m, r in zip(module, raw))


def compare(samples, part, load, one, other, figure):
    return ratio(samples.get(part, load, one, figure),
                 samples.get(part, load, other, figure))


def targets(samples, results):
    """Name, value, bound, aim, and whether more is better."""

    memory = only(results, 'memory')
    fairness = only(results, 'fairness')
    first = only(results, 'first')

    one64, many = (100, 1, 64), (100, 1000, 8)

    return [
        ('req/s at 64 / sum of the parts', parts_sum(samples, 64),
         0.9, 1.1, True),
        ('req/s at 512 / sum of the parts', parts_sum(samples, 512),
         0.9, 1.1, True),
        ('CPU a request at 64 / return 200',
         compare(samples, 'single', one64, MODULE, FLOOR, cpu),
         1.5, 1.2, False),
        ('p50 at 1 connection - librdkafka, us', over_raw(samples),
         100, None, False),
        ('batch of 1,000: CPU a message / flood',
         compare(samples, 'batch', many, MODULE, RAW, cpu), 2, 1.5, False),
        ('batch of 1,000: messages/s / flood',
         compare(samples, 'batch', many, MODULE, RAW, rate), 0.5, 0.7, True),
        ('req/s at 64 / lua-resty-kafka',
         compare(samples, 'peers', one64, MODULE, LUA, rate), 3, None, True),
        ('req/s at 64 / Go service',
         compare(samples, 'peers', one64, MODULE, GO, rate), 2, None, True),
        ('RSS growth after 100,000 messages, kB',
         growth(memory['growth']) if memory else None, 1024, None, False),
        *((f'peak of 16 MB, {what} / allowed',
           statistics.median(map(peak, memory[what])) if memory else None,
           1, None, False) for what in ('1 message', '100,000 messages')),
        ('longest turn beside 16 MB batches, CPU ms',
         middle(fairness[True], 'turn_cpu') / 1e3 if fairness else None,
         10, None, False),
        ('first message of a worker, ms',
         middle(first['first, 0 s after the start'], 'ms') if first else None,
         20, None, False),
    ]


def verdict(value, bound, aim, more):
    for limit, word in (aim, 'reached, so is the aim'), (bound, 'reached'):
        if limit is not None and (value >= limit if more else value <= limit):
            return word

    return 'missed'


def show_targets(samples, results):
    rows = [('Target', 'found', 'bound', 'aim', '')]

    for name, value, bound, aim, more in targets(samples, results):
        sign = '>= ' if more else '<= '
        rows.append((name, number(value), sign + number(bound),
                     '-' if aim is None else sign + number(aim),
                     'not measured' if value is None
                     else verdict(value, bound, aim, more)))

    print()
    table(rows)


def show(results):
    samples = Samples(results['samples'])

    print(', '.join(f'{name} {results[name]}' for name in (
        'date', 'commit', 'cpu', 'cores', 'kernel', 'nginx', 'librdkafka',
        'kafka', 'kafka of the peers', 'lua-resty-kafka', 'go', 'java',
        'wrk')))
    print(f'medians of {results["rounds"]} rounds of {results["seconds"]} s; '
          'CPU is that of the process and all of its threads, a message')

    for part in TITLES:
        show_loads(samples, part)

    for part, shows in (('memory', show_memory), ('fairness', show_fairness),
                        ('first', show_first), ('keys', show_keys),
                        ('sweep', show_sweep)):
        groups = only(results, part)
        if groups:
            print()
            shows(groups)

    show_targets(samples, results)
