"""What the demo's runs have learned: before and after, answer by answer, and what came out of what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_core.telemetry.schema import Event, EventKind, RunStatus
from kitchen_daemon.models import Lineage, RunInfo
from kitchen_tui.charts import Point
from kitchen_tui.cli.courses import Course
from kitchen_tui.cli.measures import Measure, measure_of
from kitchen_tui.cli.views.family import family_tree
from kitchen_tui.cli.views.runs import seconds_taken
from kitchen_tui.cli.views.samples.look import RIGHT, WRONG
from kitchen_tui.cli.views.style import heading, plain_table, status_text
from kitchen_tui.format import duration, one_line

ANSWERS_SHOWN = 3
WITH_TIME = 80
"""From so many characters on one table says what was learned and in what time."""

SIDE_BY_SIDE = 70
"""From so many characters on the answers to a question stand beside one another."""

SPEED = "time/tokens_per_s"

Series = Mapping[str, Sequence[Point]]


@dataclass(frozen=True)
class Served:
    """A course's run with its series, and its answers by question: the first given and the last."""

    course: Course
    run: RunInfo
    series: Series
    answers: list[tuple[Event, Event]]

    @property
    def completed(self) -> bool:
        """Whether the run came to its end."""
        return self.run.status is RunStatus.COMPLETED

    def before_and_after(self, measure: Measure) -> tuple[str, str] | None:
        """A measure's first and last value; nothing where there is none."""
        values, errors = self.series.get(measure.name), self.series.get(measure.error)
        if not values:
            return None
        first, last = (
            measure.told(values[end][1], errors[end][1] if errors else None) for end in (0, -1)
        )
        return first, last


def served(course: Course, run: RunInfo, series: Series, events: Sequence[Event]) -> Served:
    """Pair the answers to the same question from the first and from the last evaluation."""
    by_index: dict[int, list[Event]] = {}
    for event in events:
        if event.kind is EventKind.SAMPLE_LOGGED and event.metadata.get("kind") == "answer":
            by_index.setdefault(event.metadata["index"], []).append(event)
    pairs = [(given[0], given[-1]) for given in by_index.values()]
    pairs.sort(key=lambda pair: _said(pair[0]) == _said(pair[1]))
    return Served(course, run, series, pairs)


def _said(answer: Event) -> str:
    return str(answer.metadata["completion"])


def summary(courses: Sequence[Served], graphs: Sequence[Lineage], width: int) -> Group:
    """What was learned, in what time, sample answers, and the lineage of all runs."""
    return Group(
        heading("What was learned, on held-out problems"),
        *_tables(courses, width),
        heading("Answers before and after, sampled, those that changed first"),
        *(_titled_answers(each, width) for each in courses if each.answers),
        heading("Lineage"),
        family_tree(graphs, [each.run.id for each in courses]),
    )


def _tables(courses: Sequence[Served], width: int) -> Iterator[RenderableType]:
    """One table where there is room, else one of what was learned and one of the time."""
    if width >= WITH_TIME:
        yield _learned(courses, with_time=True)
    else:
        yield _learned(courses, with_time=False)
        yield Text()
        yield _times(courses)


def _learned(courses: Sequence[Served], *, with_time: bool) -> Table:
    table = plain_table("recipe", "measure", "before", "after")
    if with_time:
        _add_time_columns(table)
    for each in courses:
        name, times = each.course.recipe, _time(each) if with_time else ()
        for measure, before, after in _measures(each, courses):
            table.add_row(name, measure, before, after, *times)
            name, times = "", ()
    return table


def _measures(each: Served, courses: Sequence[Served]) -> Iterator[tuple[str | Text, str, str]]:
    if not each.completed:
        yield status_text(each.run.status), "", ""
        return
    for name in each.course.measures:
        measure = measure_of(name)
        ends = each.before_and_after(measure)
        if ends:
            yield measure.label, *ends
    for other in courses:
        if other.course.recipe == each.course.beside:
            yield from _beside(other)


def _beside(other: Served) -> Iterator[tuple[str | Text, str, str]]:
    """What the run that another learned from can do itself."""
    ends = other.before_and_after(measure_of(other.course.measures[0]))
    if ends:
        yield Text(f"(by {other.course.recipe})", style="dim"), "", ends[1]


def _times(courses: Sequence[Served]) -> Table:
    table = plain_table("recipe")
    _add_time_columns(table)
    for each in courses:
        table.add_row(each.course.recipe, *_time(each))
    return table


def _add_time_columns(table: Table) -> None:
    for header in ("steps", "time", "tok/s"):
        table.add_column(header, justify="right", no_wrap=True)


def _time(each: Served) -> tuple[str, str, str]:
    """Steps, seconds, and tokens a second, the mean over all steps."""
    speeds = [value for _, value in each.series.get(SPEED, ()) if value is not None]
    speed = f"{sum(speeds) / len(speeds) / 1000:.1f}k" if speeds else ""
    return str(each.run.progress.step), duration(seconds_taken(each.run)), speed


def _titled_answers(each: Served, width: int) -> Group:
    return Group(Text(each.course.recipe, style="bold"), _answers(each, width))


def _answers(each: Served, width: int) -> RenderableType:
    shown = each.answers[:ANSWERS_SHOWN]
    if width < SIDE_BY_SIDE:
        return Group(*(_answer_lines(*pair, width) for pair in shown))
    table = plain_table()
    share = width // 4 - 3
    first, last = shown[0]
    table.add_column("question", overflow="fold", width=share + 2)
    table.add_column(f"step {first.step}", no_wrap=True, min_width=share)
    table.add_column(f"step {last.step}", no_wrap=True, min_width=share)
    table.add_column("right answer", no_wrap=True)
    for before, after in shown:
        question = one_line(str(after.metadata["question"]), 2 * share)  # folded onto two lines
        expected = one_line(str(after.metadata["expected"]), share)
        table.add_row(question, _answer(before, share), _answer(after, share), expected)
    return table


def _answer_lines(before: Event, after: Event, width: int) -> Text:
    question = one_line(str(after.metadata["question"]), width)
    return Text("\n").join(
        [Text(question, style="dim"), _answer(before, width), _answer(after, width)]
    )


def _answer(event: Event, width: int) -> Text:
    mark = RIGHT if event.metadata["correct"] else WRONG
    return Text.assemble(mark, one_line(_said(event), width - 2))
