"""What a run asks of the queue, where it has its place, and what it was expected to take beside what it takes."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from kitchen_core.needs import MAIN_GROUP
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import QuoteInfo, RunInfo
from kitchen_tui.cli.views.queue import placement_words
from kitchen_tui.cli.views.style import heading, plain_table
from kitchen_tui.format import NOTHING, date, duration, number, signed, size

_KWH = 3.6e6


def asked_of_the_queue(run: RunInfo) -> Iterator[tuple[str, str]]:
    """Names and values of all that was asked, and of the place that the run has."""
    if run.after:
        yield "after", ", ".join(run.after)
    if run.after_any:
        yield "after, in any case", ", ".join(run.after_any)
    if run.priority:
        yield "priority", str(run.priority)
    if run.queue_group != MAIN_GROUP:
        yield "group", run.queue_group
    if run.window:
        yield "window", run.window
    if run.not_before is not None:
        yield "not before", date(run.not_before)
    if run.preempts:
        yield "preempts", "runs of lower priority"
    if run.max_retries:
        yield "retries", f"{run.retries} of {run.max_retries}"
    if run.placement and run.status is RunStatus.RUNNING:
        yield "on", placement_words(run.placement)


def quote_and_actual(quote: QuoteInfo, *, ended: bool) -> Iterator[RenderableType]:
    """What was expected, what it took so far, and by how much the two differ: of time and energy once it has ended."""
    table = plain_table("", "expected", "actual", "")
    rows = [
        ("memory", quote.memory_bytes, quote.peak_memory_bytes, size, True),
        ("a step", quote.seconds_a_step, quote.measured_seconds_a_step, step_time, True),
        ("time", quote.seconds, quote.busy_seconds, duration, ended),
        ("energy", quote.energy_j, quote.used_energy_j, energy, ended),
    ]
    for name, expected, actual, words, comparable in rows:
        if expected is None and actual is None:
            continue
        told = [NOTHING if value is None else words(value) for value in (expected, actual)]
        so_far = "" if actual is None else "so far"
        table.add_row(name, *told, _difference(expected, actual) if comparable else so_far)
    if table.row_count:
        yield heading("Quote")
        yield table


def step_time(seconds: float) -> str:
    """How long a step takes."""
    return f"{number(1000 * seconds)} ms" if seconds < 1 else f"{seconds:.2f} s"


def energy(joules: float) -> str:
    """Joules, kilojoules, or kilowatt-hours where it is much."""
    if joules >= _KWH / 100:
        return f"{joules / _KWH:.3g} kWh"
    return f"{joules / 1000:.3g} kJ" if joules >= 1000 else f"{joules:.3g} J"


def _difference(expected: float | None, actual: float | None) -> str:
    if not expected or actual is None:
        return ""
    return f"{signed(round(100 * (actual / expected - 1)))} %"
