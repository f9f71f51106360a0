"""Numbers over steps become small SVG pictures, which need no library in the page that shows them."""

import html
import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 10, 10, 24
_COLOURS = ("var(--left)", "var(--right)", "var(--good)", "var(--centre)", "var(--accent)")
_MOST_POINTS = 300

Points = Sequence[tuple[float, float]]


def panel(title: str, lines: Mapping[str, Points]) -> str:
    """One picture under its title: a curve for each line, with a legend where there are several.

    Values that are not finite are left out; a line without any gives no curve.
    """
    shown = {
        name: _thinned([point for point in points if all(map(math.isfinite, point))]) for name, points in lines.items()
    }
    shown = {name: points for name, points in shown.items() if points}
    if not shown:
        return ""
    # From values to places in the picture; the y of SVG counts downwards.
    xs = [x for points in shown.values() for x, _ in points]
    ys = [y for points in shown.values() for _, y in points]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    if low == high:
        low, high = low - abs(low or 1.0) / 10, high + abs(high or 1.0) / 10
    across = (_WIDTH - _LEFT - _RIGHT) / ((right - left) or 1.0)
    down = (_HEIGHT - _TOP - _BOTTOM) / (high - low)

    def place(point: tuple[float, float]) -> str:
        return f"{_LEFT + (point[0] - left) * across:.1f},{_TOP + (high - point[1]) * down:.1f}"

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}">']
    # The axes with their numbers, then a curve a line.
    for value in (low, (low + high) / 2, high):
        y = _TOP + (high - value) * down
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
            f'<text x="{_LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    for value, anchor in ((left, "start"), (right, "end")):
        x = _LEFT + (value - left) * across
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{_number(value)}</text>')
    for number, points in enumerate(shown.values()):
        colour, drawn = _COLOURS[number % len(_COLOURS)], " ".join(map(place, points))
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if len(points) < 12:
            for point in points:
                x, y = place(point).split(",")
                parts.append(f'<circle cx="{x}" cy="{y}" r="2.4" fill="{colour}"/>')
    legend = "".join(
        f'<span style="color:{_COLOURS[number % len(_COLOURS)]}">●</span> {html.escape(name)} '
        for number, name in enumerate(shown)
    )
    legend = f'<div class="soft">{legend}</div>' if len(shown) > 1 else ""
    return f'<div class="panel"><h3>{html.escape(title)}</h3>{"".join(parts)}</svg>{legend}</div>'


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `_MOST_POINTS` of them: means of equal groups in order."""
    size = -(-len(points) // _MOST_POINTS) if points else 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _number(value: float) -> str:
    return f"{value:.3g}"
