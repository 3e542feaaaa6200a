#!/usr/bin/env python3
"""The curve of freshness against load as an SVG, without any library.

    scripts/bench.d/freshness_plot.py > docs/images/freshness.svg       of the table in docs/benchmarks.md
"""
import pathlib
import re
import sys

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 20, 48     # margins; the right one holds the names of the curves
CURVES = [("p99, readable", "#b3261e", ""), ("p50, readable", "#1a5fb4", ""),
          ("p99, bare consumer", "#b3261e", "5 4"), ("p50, bare consumer", "#1a5fb4", "5 4")]
ROW = re.compile(r"^\| ([\d,]+) \| ([\d.]+) : ([\d.]+) \| ([\d.]+) : ([\d.]+) \| [\d.]+ \|$", re.M)
DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/benchmarks.md"


def svg(points):
    """`points`: (events a second, then milliseconds in the order of CURVES)."""
    most_x, most_y = max(p[0] for p in points), int(max(max(p[1:]) for p in points)) + 1

    def x(value):
        return LEFT + value / most_x * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - value / most_y * (HEIGHT - TOP - BOTTOM)

    def text(at_x, at_y, words, anchor="middle", colour="#444"):
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
             'font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for tick in range(0, most_y + 1, max(1, most_y // 8)):
        lines.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        lines.append(text(LEFT - 8, y(tick) + 4, f"{tick} ms", "end"))
    for point in points:
        lines.append(text(x(point[0]), HEIGHT - BOTTOM + 18, f"{point[0] // 1000}k" if point[0] else "0"))
    lines.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "events a second beside the probes"))
    names = _apart([y(end) for end in points[-1][1:]])
    for index, (name, colour, dashes) in enumerate(CURVES, 1):
        places = [(x(point[0]), y(point[index])) for point in points]
        path = "L".join(f"{at_x:.1f} {at_y:.1f}" for at_x, at_y in places)
        lines.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>')
        lines += [f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="3" fill="{colour}"/>' for at_x, at_y in places]
        lines.append(text(WIDTH - RIGHT + 10, names[index - 1] + 4, name, "start", colour))
    return "\n".join(lines + ["</svg>"]) + "\n"


def _apart(heights, least=14):
    """Where names stand so that none covers another, from the lowest up."""
    placed, below = {}, HEIGHT
    for index in sorted(range(len(heights)), key=lambda i: -heights[i]):
        below = placed[index] = min(heights[index], below - least)
    return placed


def documented():
    """The points of the table in the documentation."""
    section = DOCS.read_text().split("## From event to readable\n")[1].split("\n## ")[0]
    rows = [(int(rate.replace(",", "")), *map(float, figures)) for rate, *figures in ROW.findall(section)]
    return [(rate, p99, p50, bare_p99, bare_p50) for rate, p50, bare_p50, p99, bare_p99 in rows]


if __name__ == "__main__":
    sys.stdout.write(svg(documented()))
