"""A run as one watches it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kitchen_core.telemetry.schema import Event
from kitchen_tui.charts import line_chart
from kitchen_tui.cli.measures import measures_in
from kitchen_tui.cli.run_view import RunView, is_notice, is_warning
from kitchen_tui.cli.views.events import notice_words
from kitchen_tui.cli.views.runs import steps, time_left
from kitchen_tui.cli.views.samples.lines import sample_line
from kitchen_tui.cli.views.style import NARROW, status_text
from kitchen_tui.format import number

MOST_SAMPLES = 4
_TALLEST_CHART = 12
_SHORTEST_CHART = 5
_LINES_AROUND_CHART = 12


def watch_page(view: RunView, width: int, height: int) -> Group:
    """Title, progress, the chart that says most, the last evaluation, and what the model does."""
    return Group(*_page(view, width, height))


def progress_words(view: RunView) -> str:
    """Where the run stands, in one line."""
    run = view.info
    parts = [run.status.value]
    if steps(run.progress):
        parts.append(f"step {steps(run.progress)}")
    elif view.stage:
        parts.append(view.stage)
    name = view.headline
    if name:
        parts.append(f"{name} {number(view.points(name)[-1][1])}")
    if time_left(run):
        parts.append(f"{time_left(run)} left")
    if view.away:
        parts.append("reconnecting… (kitchen up starts the daemon)")
    return "  ".join(parts)


def evaluation_words(event: Event) -> str:
    """An evaluation in one line."""
    measured = event.measurements
    parts = [f"step {event.step}"]
    for measure in measures_in(measured):
        told = measure.told(measured[measure.name], measured.get(measure.error))
        parts.append(f"{measure.word} {told}")
    if len(parts) == 1:
        parts += [f"{name} {number(value)}" for name, value in measured.items()]
    return "  ".join(parts)


def log_words(event: Event) -> str:
    """What a run or an adapter has to say, a warning by that word."""
    if is_notice(event):
        return notice_words(event)
    prefix = "warning: " if is_warning(event) else ""
    return f"{prefix}{event.metadata.get('message', '')}"


def _page(view: RunView, width: int, height: int) -> Iterator[RenderableType]:
    run = view.info
    title = Text.assemble((run.name or run.recipe, "bold"), f"  {run.id}  ")
    title.append_text(status_text(run.status))
    if view.away:
        title.append("  reconnecting… (kitchen up starts the daemon)", style="yellow")
    yield title
    if run.reason:
        yield Text(run.reason, style="dim")
    elif view.note:
        yield Text(log_words(view.note), style="dim")
    yield _progress(view, width)
    measured = Text()
    if view.evaluation:
        measured = Text.assemble(("last evaluation  ", "dim"), evaluation_words(view.evaluation))
    folded = (measured.cell_len - 1) // width  # lines that it needs beyond the first
    yield from _chart(view, width, height - folded)
    if view.evaluation:
        yield measured
    for sample in view.said[:MOST_SAMPLES]:
        yield sample_line(sample, width)


def _progress(view: RunView, width: int) -> RenderableType:
    progress = view.info.progress
    if not progress.total_steps:
        return Text(f"stage {view.stage}" if view.stage else "", style="dim")
    words = Text(f"{steps(progress)}")
    if time_left(view.info):
        words.append(f"  {time_left(view.info)} left", style="dim")
    if view.stage and width >= NARROW:
        words.append(f"  {view.stage}", style="dim")
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    grid.add_row(ProgressBar(total=progress.total_steps, completed=progress.step), words)
    return grid


def _chart(view: RunView, width: int, height: int) -> Iterator[RenderableType]:
    name = view.headline
    if not name:
        return
    rows = min(_TALLEST_CHART, max(_SHORTEST_CHART, height - _LINES_AROUND_CHART))
    points = view.points(name)
    yield Text.assemble("\n", (name, "bold"), f"  {number(points[-1][1])}")
    yield Text("\n".join(line_chart(points, width, rows)), no_wrap=True, style="cyan")
    yield Text("")
