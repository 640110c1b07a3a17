#!/usr/bin/python3
"""Draws throughput and latency against connections, from results.json.

    plot.py RESULTS.json FOLDER
"""

import json
import math
import os
import sys

import report

WIDTH, HEIGHT = 700, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 50, 50
COLOURS = ('#1b6ca8', '#888888', '#d1495b', '#2e8b57', '#b8860b', '#6a4c93',
           '#008080', '#a0522d')


def text(x, y, words, anchor='middle', more=''):
    words = words.replace('&', '&amp;').replace('<', '&lt;')
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>' \
           f'{words}</text>'


def line(points, colour, dashes=''):
    path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" ' \
           f'stroke-width="2"{dashes}/>'


def short(value):
    return f'{value // 1000:g}k' if value >= 1000 else f'{value:g}'


def decades(values):
    """Powers of ten around all of them."""

    first = math.floor(math.log10(min(values)))
    last = math.ceil(math.log10(max(values)))
    return [10 ** n for n in range(first, max(last, first + 1) + 1)]


def chart(title, unit, series):
    """An SVG; series are (name, colour, dashed, {connections: value})."""

    xs = sorted({x for *_, points in series for x in points})
    ticks = decades([y for *_, points in series for y in points.values()])
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def place(x, y):
        part = math.log10(y / ticks[0]) / math.log10(ticks[-1] / ticks[0])
        return (LEFT + xs.index(x) * (right - LEFT) / max(1, len(xs) - 1),
                bottom - part * (bottom - TOP))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 22, title, 'start', ' font-size="15"'),
           text((LEFT + right) / 2, HEIGHT - 12, 'connections')]

    for tick in ticks:
        y = place(xs[0], tick)[1]
        out.append(line([(LEFT, y), (right, y)], '#dddddd'))
        out.append(text(LEFT - 8, y + 4, short(tick), 'end'))

    out.append(text(LEFT - 8, TOP - 8, unit, 'end'))

    for x in xs:
        out.append(text(place(x, ticks[0])[0], bottom + 18, str(x)))

    for i, (name, colour, dashed, points) in enumerate(series):
        dashes = ' stroke-dasharray="5 4"' if dashed else ''
        y = TOP + 10 + 18 * i
        out.append(line([place(x, points[x]) for x in sorted(points)], colour,
                        dashes))
        out += [f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{colour}"/>'
                for cx, cy in (place(x, points[x]) for x in points)]
        out.append(line([(right + 15, y), (right + 35, y)], colour, dashes))
        out.append(text(right + 40, y + 4, name, 'start'))

    return '\n'.join([*out, '</svg>', ''])


def series(samples, part, figure):
    """The medians of each competitor, for single messages of 100 bytes."""

    found = {}

    for load in samples.loads[part]:
        size, count, connections = load
        if (size, count) != (100, 1):
            continue
        for who in samples.whos[part, load]:
            value = report.median(samples.get(part, load, who, figure))
            if value:
                found.setdefault(who, {})[connections] = value

    return found


def lines(found, dashed=False, suffix=''):
    return [(name + (f', {workers} workers' if workers > 1 else '') + suffix,
             COLOURS[i % len(COLOURS)], dashed, points)
            for i, ((name, workers), points) in enumerate(found.items())]


def draw(results, folder):
    """Writes the plots of the parts that were measured; their names."""

    samples = report.Samples(results['samples'])
    paths = []

    for part in 'single', 'replicas', 'peers':
        if part not in samples.loads:
            continue

        for name, unit, curves in (
                ('throughput', 'req/s',
                 lines(series(samples, part, report.rate))),
                ('latency', 'us',
                 lines(series(samples, part, report.p50), False, ', p50')
                 + lines(series(samples, part, report.p99), True, ', p99'))):
            path = os.path.join(folder, f'{part}-{name}.svg')
            paths.append(path)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(chart(f'{report.TITLES[part]}: {name}', unit, curves))

    return paths


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8') as file:
        draw(json.load(file), sys.argv[2])
