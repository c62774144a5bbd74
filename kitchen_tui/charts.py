"""Small charts for a terminal: a braille line with its axes, and a sparkline. Plain text, no color.

A braille cell is a grid of 2 by 4 dots. A series is first put into buckets, one a dot column, so
that a chart costs as much as it has columns; a bucket keeps its lowest and highest value, so that a
spike stays seen however many points it shares its column with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kitchen_tui.format import number

Point = Sequence[float | None]
"""A step, and a value or None."""

_BLANK = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, from the top
_BARS = "▁▂▃▄▅▆▇█"
_LEAST_COLUMNS = 4  # below this the labels go, the line stays
_LOG_RATIO = 50  # from here on a linear scale would flatten all but the first steps of a loss


@dataclass(slots=True)
class Bucket:
    """What one dot column holds. Neighbours are joined from `last` to `first`."""

    column: int
    low: float
    high: float
    first: float
    last: float

    def add(self, value: float) -> None:
        """Take one more value."""
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        self.last = value


class Canvas:
    """Braille cells to draw on. Dots count from the bottom left."""

    def __init__(self, columns: int, rows: int) -> None:
        self.width = 2 * columns
        self.height = 4 * rows
        self._cells = [[_BLANK] * columns for _ in range(rows)]

    def dot(self, x: int, y: int) -> None:
        """Set one dot."""
        from_top = self.height - 1 - y
        self._cells[from_top // 4][x // 2] |= _DOTS[x % 2][from_top % 4]

    def line(self, x0: int, y0: int, x1: int, y1: int) -> None:
        """Set the dots of a straight line."""
        count = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(count + 1):
            self.dot(round(x0 + (x1 - x0) * i / count), round(y0 + (y1 - y0) * i / count))

    def rows(self) -> list[str]:
        """The cells as text, from the top."""
        return ["".join(map(chr, row)) for row in self._cells]


def line_chart(points: Sequence[Point], width: int, height: int) -> list[str]:
    """`height` lines of at most `width` characters: the line, its lowest and highest value, its
    first and last step. A None leaves a gap. Positive values far apart get a logarithmic scale,
    and the axis says so.
    """
    values = [value for _, value in points if value is not None]
    if len(points) == 1 and values:
        return _message(f"{number(values[0])} at step {number(points[0][0])}", width, height)
    if not values:
        return _message("no finite values" if points else "no values yet", width, height)
    labels = [number(max(values)), number(min(values))]
    logarithmic = min(values) > 0 and max(values) / min(values) >= _LOG_RATIO
    points = _logarithms(points) if logarithmic else points
    margin = max(map(len, labels)) + 2
    columns, rows = width - margin, height - 2
    if columns < _LEAST_COLUMNS or rows < 1:
        return _plot(points, max(width, 1), max(height, 1))
    gutter = [" " * (margin - 1) + "│"] * rows
    gutter[-1] = f"{labels[1]:>{margin - 2}} ┤"
    gutter[0] = f"{labels[0]:>{margin - 2}} ┤"
    plot = _plot(points, columns, rows)
    steps = _ends(number(points[0][0]), number(points[-1][0]), columns)
    return [
        *(left + line for left, line in zip(gutter, plot, strict=True)),
        f"{'log' if logarithmic else '':>{margin - 1}}└" + "─" * columns,
        " " * margin + steps,
    ]


def _logarithms(points: Sequence[Point]) -> list[Point]:
    return [(step, None if value is None else math.log10(value)) for step, value in points]


def buckets(points: Sequence[Point], columns: int) -> list[list[Bucket]]:
    """The points by dot column, in strokes that the gaps part."""
    first, last = _step(points[0]), _step(points[-1])
    scale = (columns - 1) / (last - first) if last > first else 0.0
    strokes: list[list[Bucket]] = [[]]
    for point in points:
        value = point[1]
        if value is None:
            strokes.append([])
            continue
        column = round((_step(point) - first) * scale)
        stroke = strokes[-1]
        if stroke and stroke[-1].column == column:
            stroke[-1].add(value)
        else:
            stroke.append(Bucket(column, value, value, value, value))
    return [stroke for stroke in strokes if stroke]


def sparkline(
    values: Sequence[float | None],
    width: int,
    *,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """The values in one line of at most `width` bars, each the mean of its share. low, high: the values of
    the lowest and the highest bar; left out, those of the lowest and the highest mean.
    """
    means = [_mean(part) for part in _shares(values, width)]
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low = min(known) if low is None else low
    high = max(known) if high is None else high
    return "".join(" " if mean is None else _bar(mean, low, high) for mean in means)


def _plot(points: Sequence[Point], columns: int, rows: int) -> list[str]:
    canvas = Canvas(columns, rows)
    strokes = buckets(points, canvas.width)
    low = min(bucket.low for stroke in strokes for bucket in stroke)
    high = max(bucket.high for stroke in strokes for bucket in stroke)

    def y(value: float) -> int:
        if high == low:
            return canvas.height // 2
        return round((value - low) / (high - low) * (canvas.height - 1))

    for stroke in strokes:
        before: Bucket | None = None
        for bucket in stroke:
            canvas.line(bucket.column, y(bucket.low), bucket.column, y(bucket.high))
            if before is not None:
                canvas.line(before.column, y(before.last), bucket.column, y(bucket.first))
            before = bucket
    return canvas.rows()


def _step(point: Point) -> float:
    return point[0] or 0.0


def _ends(left: str, right: str, width: int) -> str:
    if left == right or len(left) + len(right) >= width:
        return left[:width]
    return left + right.rjust(width - len(left))


def _message(text: str, width: int, height: int) -> list[str]:
    lines = [""] * max(height, 1)
    lines[len(lines) // 2] = text[: max(width, 0)].center(width).rstrip()
    return lines


def _shares(values: Sequence[float | None], width: int) -> Iterator[Sequence[float | None]]:
    count = min(len(values), width)
    for i in range(count):
        yield values[i * len(values) // count : (i + 1) * len(values) // count]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _bar(value: float, low: float, high: float) -> str:
    if high <= low:
        return _BARS[3]
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return _BARS[round(share * (len(_BARS) - 1))]
