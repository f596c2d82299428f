"""Plots as SVG, by hand: points with their spread, and lines, on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from attrs import frozen

_COLOURS = ("#1f6fb2", "#c8501e", "#2c8a43", "#8a4fa8", "#997700", "#a03050", "#447788", "#777777", "#335588")
_STYLE = 'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#334"'


@frozen
class Axis:
    """A logarithmic axis: values to pixels."""

    least: float
    most: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value stands."""
        share = math.log(value / self.least) / math.log(self.most / self.least)
        return round(self.start + share * (self.end - self.start), 1)

    def marks(self) -> list[float]:
        """1, 2 and 5 times the powers of ten within its range; powers alone where these are many."""
        powers = range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1)
        steps = (1, 2, 5) if len(powers) <= 4 else (1,)
        marks = [step * 10.0**power for power in powers for step in steps]
        return [mark for mark in marks if self.least * 0.999 <= mark <= self.most * 1.001]


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis with room for these values."""
    least, most = min(values), max(values)
    return Axis(least / 1.25, most * 1.25, start, end)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def _svg(title: str, width: int, height: int, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {_STYLE}>\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{width}" height="{height}" rx="10" fill="#fff"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}" stroke-width="{width}" fill="none"/>'


# ---------------------------------------------------------------- points


@frozen
class Point:
    """A median with the least and the most."""

    median: float
    least: float
    most: float


def points(title: str, rows: Sequence[tuple[str, Sequence[Point | None]]], series: Sequence[str], unit: str) -> str:
    """A row for each name, a point with its spread for each series."""
    width, left, top, row_height = 860, 330, 60, 18 * len(series) // 2 + 14
    height = top + row_height * len(rows) + 50
    values = [value for _, row in rows for p in row if p is not None for value in (p.least, p.most)]
    across = axis([*values, 1.0], left, width - 30)
    parts = [_text(20, 24, title, more='font-weight="bold"')]
    for mark in across.marks():
        x = across.at(mark)
        parts.append(_line(x, top - 8, x, height - 44, "#334" if mark == 1 else "#dde", 1))
        parts.append(_text(x, height - 28, _number(mark), "middle"))
    parts.append(_text((left + width) / 2, height - 8, unit, "middle"))
    for number, name in enumerate(series):
        parts.append(f'<circle cx="{left + 110 * number}" cy="38" r="4" fill="{_COLOURS[number]}"/>')
        parts.append(_text(left + 8 + 110 * number, 42, name))
    for place, (name, row) in enumerate(rows):
        middle = top + row_height * (place + 0.5)
        parts.append(_text(left - 14, middle + 4, name, "end"))
        for number, point in enumerate(row):
            if point is not None:
                y = round(middle + 9 * (number - (len(series) - 1) / 2), 1)
                colour = _COLOURS[number]
                parts.append(_line(across.at(point.least), y, across.at(point.most), y, colour, 2))
                parts.append(f'<circle cx="{across.at(point.median)}" cy="{y}" r="4" fill="{colour}"/>')
    return _svg(title, width, height, parts)


# ---------------------------------------------------------------- lines


def lines(
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    across_is: str,
    up_is: str,
    labels: dict[float, str] | None = None,
    from_least: float | None = None,
) -> str:
    """A line for each name, both axes logarithmic.

    :param labels: what stands at the axis across, by value; its round numbers without it.
    :param from_least: a value that the axis upwards has to hold as well.
    """
    width, height, left, bottom, right = 860, 400, 70, 340, 620
    xs = [x for _, line in series for x, _ in line]
    ys = [y for _, line in series for _, y in line] + ([] if from_least is None else [from_least])
    across, up = axis(xs, left, right), axis(ys, bottom, 50)
    parts = [_text(20, 24, title, more='font-weight="bold"')]
    for mark in up.marks():
        parts += [
            _line(left, up.at(mark), right, up.at(mark), "#dde"),
            _text(left - 8, up.at(mark) + 4, _number(mark), "end"),
        ]
    for mark, text in (labels or {mark: _number(mark) for mark in across.marks()}).items():
        if not across.least <= mark <= across.most:
            continue
        parts += [
            _line(across.at(mark), 50, across.at(mark), bottom, "#dde"),
            _text(across.at(mark), 360, text, "middle"),
        ]
    parts += [_text((left + right) / 2, 388, across_is, "middle"), _text(20, 44, up_is)]
    for number, (name, line) in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        path = "L".join(f"{across.at(x)} {up.at(y)}" for x, y in line)
        parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        parts += [
            f'<circle cx="{across.at(x)}" cy="{up.at(y)}" r="3" fill="{colour}"/>' for x, y in line if len(line) < 10
        ]
        parts.append(f'<rect x="640" y="{52 + 20 * number}" width="12" height="4" fill="{colour}"/>')
        parts.append(_text(658, 58 + 20 * number, name, more='font-size="12"'))
    return _svg(title, width, height, parts)
