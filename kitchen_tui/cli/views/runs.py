"""Many runs in a table, one run whole, and why one failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_core.telemetry.schema import Event, RunError, RunStatus
from kitchen_daemon.models import ArtifactInfo, ProgressInfo, RunInfo
from kitchen_tui.cli.measures import own_measure
from kitchen_tui.cli.run_view import headline
from kitchen_tui.cli.views.queueing import asked_of_the_queue, quote_and_actual
from kitchen_tui.cli.views.style import NARROW, cut, facts, heading, plain_table, shown, status_text
from kitchen_tui.format import age, date, duration, number, one_line, size

LOG_LINES = 10
LATEST = 5
"""The column of the latest values."""

MOST_OF_A_NAME = 20
MOST_WARNINGS = 5
_WIDE = 100
_SHORT = {"train_mean_nll": "nll", "env/all/reward/total": "reward", "teacher_kl": "kl"}


def runs_table(runs: list[RunInfo], width: int) -> Table:
    """Runs, a line each; the narrower, the fewer columns. A run that waits has its reason where others have their
    latest values.
    """
    if width < NARROW:
        table = plain_table("run", "status")
        table.add_column("name")
        for run in runs:
            why = f"  {run.reason}" if waits(run) and run.reason else ""
            name = cut(run.name or run.recipe).append(why, style="dim")
            table.add_row(run.id, status_text(run.status), name)
        return table
    headers = ["run", "name", "status", "step", "left", "latest"]
    if width >= _WIDE and any(waits(run) for run in runs):
        headers[LATEST] = "latest, or why it waits"
    table = plain_table(*headers, *(["created"] if width >= _WIDE else []))
    rows = [_cells(run, width)[: len(table.columns)] for run in runs]
    for row in rows:
        table.add_row(*row)
    table.columns[LATEST].max_width = _room_for_latest(table, rows, width)
    return table


def _cells(run: RunInfo, width: int) -> list[str | Text]:
    told = latest(run.metrics)
    if waits(run) and run.reason:
        told = Text(run.reason, style="dim")
    where = [steps(run.progress), time_left(run), told, age(run.created_at)]
    name = one_line(run.name or run.recipe, max(MOST_OF_A_NAME, width // 4))
    return [run.id, name, status_text(run.status), *where]


def waits(run: RunInfo) -> bool:
    """Whether it gets a worker by itself, sooner or later."""
    set_aside = run.status is RunStatus.PAUSED and run.paused_for is not None
    return set_aside or run.status in (RunStatus.QUEUED, RunStatus.HELD)


def _room_for_latest(table: Table, rows: Sequence[Sequence[str | Text]], width: int) -> int:
    """What the other columns leave: where not all has room, the latest values are what is cut."""
    others = [each for each in range(len(table.columns)) if each != LATEST]
    headers = [str(column.header) for column in table.columns]
    taken = sum(max(len(row[each]) for row in [headers, *rows]) for each in others)
    return max(len(headers[LATEST]), width - taken - 2 * len(others))  # two blanks between columns


def steps(progress: ProgressInfo) -> str:
    """Steps done of steps in all."""
    if progress.total_steps is None:
        return str(progress.step) if progress.step else ""
    return f"{progress.step}/{progress.total_steps}"


def time_left(run: RunInfo) -> str:
    """The time that a run still needs, as far as one can tell."""
    return duration(run.progress.eta_s) if run.progress.eta_s and not run.status.is_at_rest else ""


def seconds_taken(run: RunInfo) -> float | None:
    """How long the run took, if it has begun and ended."""
    if run.started_at is None or run.finished_at is None:
        return None
    return run.finished_at - run.started_at


def latest(metrics: Mapping[str, float | None]) -> Text:
    """The last value that says most: of the training, and of the last evaluation."""
    parts: list[str] = []
    name = headline(metrics)
    if name:
        parts.append(f"{_short(name)} {number(metrics[name])}")
    own = own_measure(metrics)
    if own:
        parts.append(f"{own.word} {own.show(metrics[own.name])}")
    return Text(", ".join(parts))


def run_page(
    run: RunInfo, defaults: Mapping[str, Any] | None, warnings: Sequence[Event] = ()
) -> Group:
    """One run: where it stands, what differs from the recipe's defaults, what it measured and made.

    defaults: the recipe's config, where it can still be read. warnings: what the run has warned of.
    """
    return Group(*_page(run, defaults, warnings))


def failure(error: RunError) -> Group:
    """Why a run failed: the worker's last words, then what, where, and what to do about it.

    What matters most comes last, where a terminal leaves it in sight.
    """
    tail = error.log_tail[-LOG_LINES:]
    title = [Text("the worker's last lines:", style="dim")] if tail else []
    lines = [Text(f"  {line}", style="dim") for line in tail]
    where = f" (in stage {error.stage})" if error.stage else ""
    kind = f"{error.type}: " if tail else ""  # a message that says all needs no name of its kind
    what = Text.assemble(("error: ", "bold red"), f"{kind}{error.message}{where}")
    hint = [Text.assemble(("hint: ", "bold"), error.hint)] if error.hint else []
    return Group(*title, *lines, what, *hint)


def warning_lines(warnings: Sequence[Event], run_id: str) -> list[str]:
    """What a run's owner should know, the first of it where there is much."""
    lines = [f"warning: {event.metadata.get('message', '')}" for event in warnings[:MOST_WARNINGS]]
    more = len(warnings) - MOST_WARNINGS
    return [*lines, f"{more} more warnings: kitchen events {run_id}"] if more > 0 else lines


def artifact_lines(made: ArtifactInfo) -> list[str]:
    """An artifact, and below it its path, which is never folded, so that it can be copied."""
    step = "" if made.step is None else f"  step {made.step}"
    return [f"{made.name}  {made.sha256[:12]}{step}  {size(made.size_bytes)}", f"  {made.path}"]


def _page(
    run: RunInfo, defaults: Mapping[str, Any] | None, warnings: Sequence[Event]
) -> Iterator[RenderableType]:
    title = Text.assemble((run.name or run.recipe, "bold"), f"  {run.id}  ")
    yield title.append_text(status_text(run.status))
    if run.error:
        yield failure(run.error)
    elif run.reason:
        yield Text(run.reason)
    for line in warning_lines(warnings, run.id):
        yield Text(line, style="yellow")
    yield facts(_facts(run))
    if run.quote:
        yield from quote_and_actual(run.quote, ended=run.status.is_final)
    yield heading("Config" if defaults is None else "Config (what differs from the recipe's)")
    yield facts(_changed(run.config, defaults or {}))
    if run.metrics:
        yield heading("Metrics (last values)")
        yield facts((name, number(value)) for name, value in sorted(run.metrics.items()))
    if run.artifacts:
        yield heading("Artifacts")
        yield facts(
            (made.name, f"{made.sha256[:12]}  {size(made.size_bytes)}") for made in run.artifacts
        )


def _facts(run: RunInfo) -> Iterator[tuple[str, str]]:
    yield "recipe", f"{run.recipe} ({run.workflow}), preset {run.preset or 'none'}"
    yield "manifest", ", ".join([run.manifest, *(f"{k}={v}" for k, v in run.adapters.items())])
    yield "steps", steps(run.progress) or "none yet"
    if time_left(run):
        yield "time left", time_left(run)
    if seconds_taken(run) is not None:
        yield "took", duration(seconds_taken(run))
    yield "created", date(run.created_at)
    if run.attempt > 1:
        yield "attempt", str(run.attempt)
    yield from asked_of_the_queue(run)
    if run.parents:
        yield "parents", ", ".join(run.parents)
    if run.retry_of:
        yield "retry of", run.retry_of


def _changed(
    config: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[tuple[str, str | Text]]:
    for key, value in config.items():
        if key not in defaults:
            yield key, shown(value)
        elif defaults[key] != value:
            yield key, Text.assemble(shown(value), (f"  (default {shown(defaults[key])})", "dim"))


def _short(name: str) -> str:
    return _SHORT.get(name, name.rsplit("/", 1)[-1])
