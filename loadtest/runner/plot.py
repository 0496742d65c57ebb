# SPDX-License-Identifier: MIT
"""CPU time per request over the number of connections as an SVG image, written without any
library."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 60, 60
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # told apart by all
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 2")


def round_numbers(smallest, largest):
    """1, 2 and 5 times powers of ten, from the last one below the values to the first one above."""
    powers = range(math.floor(math.log10(smallest)), math.floor(math.log10(largest)) + 2)
    numbers = [factor * 10.0 ** power for power in powers for factor in (1, 2, 5)]
    below = [number for number in numbers if number <= smallest]
    inside = [number for number in numbers if smallest < number < largest]
    above = [number for number in numbers if number >= largest and number > smallest]
    return [*below[-1:], *inside, *above[:1]]


class Axes:
    """Maps connections and microseconds to the image, both logarithmic: a ratio is a distance."""

    def __init__(self, connections, values):
        self.connections = sorted(connections)
        self.low = math.log10(self.connections[0])
        self.high = max(math.log10(self.connections[-1]), self.low + 1)
        self.values = round_numbers(min(values), max(values))
        self.bottom = math.log10(self.values[0])
        self.top = math.log10(self.values[-1])

    def x(self, connections):
        share = (math.log10(connections) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = (math.log10(value) - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def label(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def axes_elements(axes):
    grid = 'stroke="#dddddd" stroke-width="1"'
    parts = []
    for value in axes.values:
        parts.append(line(LEFT, axes.y(value), WIDTH - RIGHT, axes.y(value), grid))
        parts.append(label(LEFT - 8, axes.y(value) + 4, f"{value:g}", "end"))
    for connections in axes.connections:
        x = axes.x(connections)
        parts.append(line(x, TOP, x, HEIGHT - BOTTOM, grid))
        parts.append(label(x, HEIGHT - BOTTOM + 20, f"{connections:,}"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "keep-alive connections"))
    parts.append(label(20, middle, "CPU time per request, microseconds",
                       extra=f' transform="rotate(-90 20 {middle:.1f})"'))
    return parts


def series_elements(axes, index, name, points):
    """A line through the medians, with a bar from the smallest to the largest round at each."""
    color = PALETTE[index % len(PALETTE)]
    stroke = f'stroke="{color}" stroke-width="2"'
    dash = DASHES[index % len(DASHES)]
    if dash:
        stroke += f' stroke-dasharray="{dash}"'
    path = " ".join(f"{axes.x(connections):.1f},{axes.y(spread['median']):.1f}"
                    for connections, spread in points)
    parts = [f'<polyline points="{path}" fill="none" {stroke}/>']
    for connections, spread in points:
        x = axes.x(connections) + (index - 1) * 3  # so that bars of several servers do not hide
        parts.append(line(x, axes.y(spread["min"]), x, axes.y(spread["max"]),
                          f'stroke="{color}" stroke-width="1"'))
        parts.append(f'<circle cx="{axes.x(connections):.1f}" cy="{axes.y(spread["median"]):.1f}" '
                     f'r="3.5" fill="{color}"/>')
    x, y = LEFT + 10 + 170 * (index % 4), TOP - 12 - 16 * (index // 4)
    parts.append(line(x, y - 4, x + 28, y - 4, stroke))
    parts.append(label(x + 34, y, name, "start"))
    return parts


def series(results):
    """[(server, [(connections, spread), ...])] of the scenarios without pipelining."""
    connections = {row["name"]: row["connections"] for row in results["scenarios"]
                   if row["depth"] == 1}
    servers = {}
    for scenario, figures in results["figures"]["load"].items():
        for server, metrics in figures.items():
            if scenario in connections and metrics["cpu_us"]:
                servers.setdefault(server, []).append((connections[scenario], metrics["cpu_us"]))
    return [(name, sorted(points, key=lambda point: point[0])) for name, points in servers.items()]


def svg(results):
    """The image, or an empty string when there is nothing to show."""
    lines = series(results)
    if not lines:
        return ""
    every = [point for _, points in lines for point in points]
    axes = Axes({connections for connections, _ in every},
                [spread[end] for _, spread in every for end in ("min", "max")])
    title = f"{results['machine']['processor']}, Linux {results['machine']['kernel']}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        label(LEFT, 20, title, "start", ' fill="#555555"'),
        *axes_elements(axes),
    ]
    for index, (name, points) in enumerate(lines):
        parts += series_elements(axes, index, name, points)
    return "\n".join([*parts, "</svg>", ""])
