"""A run's series: all of them a line each, or a few drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from kitchen_tui.charts import Point, line_chart, sparkline
from kitchen_tui.cli.views.style import NARROW, plain_table
from kitchen_tui.format import number

CHART_HEIGHT = 12
_LONGEST_SPARKLINE = 24

Series = Mapping[str, Sequence[Point]]


def metrics_table(series: Series, width: int) -> Table:
    """Last, lowest and highest value of each series; where there is room its shape."""
    roomy = width >= NARROW
    table = plain_table("metric", "last", *(("lowest", "highest", "") if roomy else ()))
    for name in sorted(series):
        values = [value for _, value in series[name]]
        known = [value for value in values if value is not None]
        cells = [name, number(values[-1] if values else None)]
        if roomy:
            cells += [number(min(known, default=None)), number(max(known, default=None))]
            cells.append(sparkline(values, _LONGEST_SPARKLINE))
        table.add_row(*cells)
    return table


def charts(series: Series, width: int) -> Group:
    """A chart each."""
    return Group(*(_chart(name, points, width) for name, points in series.items()))


def _chart(name: str, points: Sequence[Point], width: int) -> Text:
    last = number(points[-1][1] if points else None)
    lines = line_chart(points, width, CHART_HEIGHT)
    return Text.assemble((name, "bold"), f"  {last}\n", ("\n".join(lines), "cyan"), "\n")
