"""Small SVG charts within pages, each with a label in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _EDGE = 96, 26, 4


def sparkline(values: Sequence[int | None], worst: int, label: str) -> Markup:
    """Returns placements as a line, the best at the top.

    Args:
        values: the oldest first; None breaks the line.
        worst: the placement at the bottom. The axis is fixed, so that lines compare.
        label: says in words what is shown.
    """
    step = (_WIDTH - 2 * _EDGE) / max(1, len(values) - 1)
    height = (_HEIGHT - 2 * _EDGE) / max(1, worst - 1)
    points = [
        None if value is None else (_EDGE + index * step, _EDGE + (min(value, worst) - 1) * height)
        for index, value in enumerate(values)
    ]
    path = " ".join(
        f"{'M' if index == 0 or points[index - 1] is None else 'L'}{point[0]:.1f} {point[1]:.1f}"
        for index, point in enumerate(points)
        if point is not None
    )
    dots = Markup("").join(
        Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(
            f"{point[0]:.1f}", f"{point[1]:.1f}", 3 if index == len(points) - 1 else 2, "won" if value == 1 else "dot"
        )
        for index, (point, value) in enumerate(zip(points, values, strict=True))
        if point is not None
    )
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">'
        '<path d="{}"/>{}</svg>'
    ).format(label, _WIDTH, _HEIGHT, _WIDTH, _HEIGHT, path, dots)


def bar(share: float) -> Markup:
    """Returns a share of 0 to 1 as a bar, to stand beside its figure."""
    wide = round(100 * min(1.0, max(0.0, share)), 1)
    return Markup(
        '<svg class="bar-of" aria-hidden="true" width="64" height="8" viewBox="0 0 100 8" preserveAspectRatio="none">'
        '<rect class="whole" width="100" height="8"/><rect class="part" width="{}" height="8"/></svg>'
    ).format(wide)


# --------------------------------------------------------------------------- a value among others

_STRIP_WIDTH, _STRIP_HEIGHT, _STRIP_EDGE = 240, 30, 8


def strip(
    quantiles: Sequence[float],
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    label: str,
    ends: tuple[float, float] | None = None,
) -> Markup:
    """Returns a strip that shows a value among those of others.

    Args:
        quantiles: quantiles of the others at 5, 25, 50, 75 and 95%.
        low: lower end of the value's interval.
        high: upper end of the interval.
        label: says in words what is shown.
        ends: ends of the axis, so that strips compare; values beyond them are drawn at the edge. By default the axis
            spans all values.
    """
    known = [each for each in (*quantiles, value, low, high) if each is not None]
    least, most = ends or (min(known), max(known))
    scale = (_STRIP_WIDTH - 2 * _STRIP_EDGE) / ((most - least) or 1)

    def at(of: float) -> float:
        return round(_STRIP_EDGE + (min(max(of, least), most) - least) * scale, 1)

    p05, p25, p50, p75, p95 = map(at, quantiles)
    middle = _STRIP_HEIGHT / 2
    parts = [
        _bar(p05, p95, middle, 4, "all"),
        _bar(p25, p75, middle, 14, "half"),
        Markup('<path class="median" d="M{} {}v18"/>').format(p50, middle - 9),
    ]
    if low is not None and high is not None:
        parts.append(_bar(at(low), at(high), middle, 6, "reach"))
    if value is not None:
        parts.append(Markup('<circle class="own" cx="{}" cy="{}" r="5"/>').format(at(value), middle))
    return Markup('<svg class="strip" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        label, _STRIP_WIDTH, _STRIP_HEIGHT, Markup("").join(parts)
    )


def _bar(start: float, end: float, middle: float, height: float, kind: str) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>').format(
        kind, start, middle - height / 2, round(max(end - start, 1), 1), height
    )


# --------------------------------------------------------------------------- values over time

_COURSE_WIDTH, _COURSE_HEIGHT = 360, 168
_TOP, _BOTTOM, _RIGHT = 10, 34, 12
_FEW = 30
"""Number of points above which they are drawn smaller."""
_BESIDE = 0.25
"""Share of its length by which marks before and after the values may extend the axis."""
_LETTER = 6.2
"""Approximate width of a letter beside an axis."""


class Point(NamedTuple):
    """A value of a day, with its interval if known, and its text."""

    day: date
    value: float
    low: float | None
    high: float | None
    said: str


def course(
    points: Sequence[Point],
    marks: Sequence[tuple[date, str]] = (),
    *,
    label: str,
    day: Callable[[date], str] = str,
    middle: float | None = None,
    ticks: Mapping[float, str] | None = None,
) -> Markup:
    """Returns a value over days, with its intervals and marked days.

    Args:
        marks: days with events, in words. An arrow at the edge stands for days far from all values.
        label: says in words what is shown.
        day: writes a day beside the axis.
        middle: a value at which a line is drawn.
        ticks: texts beside the axis, by value; by default a few round numbers.
    """
    known = [each for point in points for each in (point.value, point.low, point.high) if each is not None]
    known += [middle] if middle is not None else []
    least, most = (min(ticks), max(ticks)) if ticks else (min(known), max(known))
    margin = 0.5 if ticks else (0.06 * (most - least) or 0.5)
    least, most = least - margin, most + margin
    beside = ticks or _round_numbers(least, most)
    left = 10 + _LETTER * max(map(len, beside.values()))
    first, last = min(point.day for point in points), max(point.day for point in points)
    room = timedelta(days=max(7, round(_BESIDE * (last - first).days)))
    near = [when for when, _ in marks if first - room <= when <= last + room]
    first, last = min([first, *near]), max([last, *near])
    width, height = _COURSE_WIDTH - left - _RIGHT, _COURSE_HEIGHT - _TOP - _BOTTOM

    def x(of: date) -> float:
        share = (min(max(of, first), last) - first).days / (last - first).days if last > first else 0.5
        return round(left + 4 + share * (width - 8), 1)

    def y(of: float) -> float:
        return round(_TOP + (most - of) / (most - least) * height, 1)

    base = _COURSE_HEIGHT - _BOTTOM
    parts = [
        Markup('<path class="grid" d="M{} {}H{}"/><text class="of-y" x="{}" y="{}">{}</text>').format(
            round(left, 1), y(at), _COURSE_WIDTH - _RIGHT, round(left - 6, 1), y(at) + 4, text
        )
        for at, text in beside.items()
        if least <= at <= most
    ]
    if middle is not None:
        parts.append(Markup('<path class="middle" d="M{} {}H{}"/>').format(left, y(middle), _COURSE_WIDTH - _RIGHT))
    parts += [
        Markup('<g class="mark"><title>{}</title>{}<path d="M{} {}{}"/></g>').format(
            said,
            Markup('<path class="since" d="M{} {}V{}"/>').format(x(when), _TOP, base) if first <= when <= last else "",
            x(when),
            base - (8 if first <= when <= last else 19),
            "l4.5 8h-9z" if first <= when <= last else "l8 -4.5v9z" if when < first else "l-8 -4.5v9z",
        )
        for when, said in marks
    ]
    parts += [_reach(points, x, y)]
    path = " ".join(f"{'L' if index else 'M'}{x(point.day)} {y(point.value)}" for index, point in enumerate(points))
    parts.append(Markup('<path class="line" d="{}"/>').format(path))
    size = 3.5 if len(points) <= _FEW else 2
    # A page has hundreds of points, and escaping takes longest; numbers need none.
    parts += [
        Markup(f'<circle class="own" cx="{x(at)}" cy="{y(value)}" r="{size}"><title>{escape(said)}</title></circle>')
        for at, value, _, _, said in points
    ]
    for when, where in {first: "start", last: "end"}.items():
        at = x(when) if first == last else left if where == "start" else _COURSE_WIDTH - _RIGHT
        anchor = "middle" if first == last else where
        parts.append(
            Markup('<text class="of-x" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                round(at, 1), base + 18, anchor, day(when)
            )
        )
    return Markup('<svg class="course" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        label, _COURSE_WIDTH, _COURSE_HEIGHT, Markup("").join(parts)
    )


def _reach(points: Sequence[Point], x: Callable[[date], float], y: Callable[[float], float]) -> Markup:
    """Returns the intervals as bands between neighbouring points with intervals."""
    bands: list[list[tuple[float, float, float]]] = [[]]
    for point in points:
        if point.low is None or point.high is None:
            bands.append([])
        else:
            bands[-1].append((x(point.day), y(point.low), y(point.high)))
    drawn = Markup("")
    for band in filter(None, bands):
        if len(band) == 1:
            [(at, low, high)] = band
            drawn += Markup('<path class="reach-line" d="M{} {}V{}"/>').format(at, low, high)
            continue
        edge = [(at, high) for at, _, high in band] + [(at, low) for at, low, _ in reversed(band)]
        drawn += Markup('<path class="reach" d="M{}Z"/>').format("L".join(f"{at} {to}" for at, to in edge))
    return drawn


def _round_numbers(least: float, most: float) -> dict[float, str]:
    """Returns three to six round numbers between two numbers."""
    rough = (most - least) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough)
    digits = max(0, -math.floor(math.log10(step)))
    found = (number * step for number in range(math.ceil(least / step), math.floor(most / step) + 1))
    return {value: f"{value:z.{digits}f}".replace("-", "−") for value in found}


# --------------------------------------------------------------------------- events on a time line

_LANES_WIDTH, _LANE, _NAMES = 1000, 30, 128


class Mark(NamedTuple):
    """An event: its second, its shape (`kind`), text and link; with an end if it has a duration."""

    at: float
    kind: str
    said: str
    href: str | None = None
    end: float | None = None


def lanes(lanes: Sequence[tuple[str, Sequence[Mark]]], seconds: float, *, label: str, every: int = 60) -> Markup:
    """Returns events on a time line, in named lanes.

    Args:
        seconds: length of the time line.
        label: says in words what is shown.
        every: seconds between time marks.
    """
    height = len(lanes) * _LANE + 26
    width = _LANES_WIDTH - _NAMES - 16

    def x(of: float) -> float:
        return round(_NAMES + 4 + min(max(of, 0), seconds) / (seconds or 1) * width, 1)

    parts: list[Markup] = []
    for second in range(0, int(seconds) + 1, every):
        parts.append(
            Markup('<path class="grid" d="M{} 0V{}"/><text class="of-x" x="{}" y="{}">{}</text>').format(
                x(second), height - 22, x(second), height - 6, f"{second // 60}:{second % 60:02}"
            )
        )
    for number, (name, marks) in enumerate(lanes):
        middle = number * _LANE + _LANE / 2
        parts.append(
            Markup('<text class="of-lane" x="0" y="{}">{}</text><path class="grid" d="M{} {}H{}"/>').format(
                middle + 5, name, _NAMES, (number + 1) * _LANE, _LANES_WIDTH
            )
        )
        for mark in marks:
            shape = _shape(mark, x, middle)
            title = Markup("<title>{}</title>").format(mark.said)
            if mark.href:
                parts.append(Markup('<a href="{}" aria-label="{}">{}{}</a>').format(mark.href, mark.said, title, shape))
            else:
                parts.append(Markup("<g>{}{}</g>").format(title, shape))
    role = "group" if any(mark.href for _, marks in lanes for mark in marks) else "img"
    return Markup('<svg class="lanes" role="{}" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        role, label, _LANES_WIDTH, height, Markup("").join(parts)
    )


def _shape(mark: Mark, x: Callable[[float], float], middle: float) -> Markup:
    at = x(mark.at)
    if mark.end is not None:
        wide = round(max(x(mark.end) - at, 1.5), 1)
        return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="12"/>').format(mark.kind, at, middle - 6, wide)
    return Markup('<path class="{}" d="{}"/>').format(mark.kind, _SHAPES[mark.kind.split()[0]].format(at, middle))


_SHAPES = {
    "blue": "M{} {}m-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0",
    "orange": "M{} {}m0 -7.5l7.5 7.5l-7.5 7.5l-7.5 -7.5z",
    "mistake": "M{} {}m-5 -5l10 10m0 -10l-10 10",
    "pad": "M{} {}m-3 -3h6v6h-6z",
}
"""Shapes besides colours, for readers who cannot tell colours apart: circle, diamond, cross, small square."""
