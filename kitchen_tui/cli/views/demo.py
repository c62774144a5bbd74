"""What the demo's runs have learned: before and after, answer by answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_daemon.models import Lineage, RunInfo
from kitchen_tui.charts import Point
from kitchen_tui.cli.views.lineage import lineage_tree
from kitchen_tui.cli.views.runs import seconds_taken
from kitchen_tui.cli.views.style import NARROW, heading, plain_table
from kitchen_tui.format import duration, number, one_line, percent

Series = Mapping[str, Sequence[Point]]


@dataclass(frozen=True)
class Course:
    """A run with its series, and its answers by question: the first given and the last."""

    run: RunInfo
    series: Series
    answers: list[tuple[Event, Event]]


def course_of(run: RunInfo, series: Series, events: Sequence[Event]) -> Course:
    """Pair the answers to the same question from the first and from the last evaluation."""
    by_index: dict[int, list[Event]] = {}
    for event in events:
        if event.kind is EventKind.SAMPLE_LOGGED and event.metadata.get("kind") != "train":
            by_index.setdefault(event.metadata["index"], []).append(event)
    return Course(run, series, [(given[0], given[-1]) for given in by_index.values()])


def summary(courses: Sequence[Course], graph: Lineage, width: int) -> Group:
    """What was learned, sample answers, and the lineage of the last run."""
    last = courses[-1]
    return Group(
        heading("What was learned"),
        _learned(courses),
        heading("Answers before and after, sampled; right is the whole text"),
        *(_titled_answers(course, width) for course in courses),
        heading("Lineage"),
        lineage_tree(graph, f"run:{last.run.id}"),
    )


def _learned(courses: Sequence[Course]) -> Table:
    table = plain_table("recipe", "measure", "before", "after")
    for course in courses:
        name = course.run.recipe
        for measure, before, after in _measures(course):
            table.add_row(name, measure, before, after)
            name = ""
        steps, seconds = course.run.progress.step, seconds_taken(course.run)
        table.add_row(name, "steps and time", "", f"{steps} in {duration(seconds)}")
    return table


def _measures(course: Course) -> Iterator[tuple[str, str, str]]:
    for measure, name, show in (
        ("held-out nll", "test/nll", number),
        ("right, sampled", "test/exact_match", percent),
        ("right, greedy", "test/greedy_exact_match", percent),
    ):
        ends = _ends(course.series.get(name, ()))
        errors = _ends(course.series.get(f"{name}_stderr", ()))
        if ends:
            texts = [show(value) for value in ends]
            if errors:
                texts = [
                    f"{text} ± {show(error)}" for text, error in zip(texts, errors, strict=True)
                ]
            yield measure, texts[0], texts[1]


def _ends(points: Sequence[Point]) -> tuple[float | None, float | None] | None:
    return (points[0][1], points[-1][1]) if points else None


def _titled_answers(course: Course, width: int) -> Group:
    return Group(Text(course.run.recipe, style="bold"), _answers(course, width))


def _answers(course: Course, width: int) -> RenderableType:
    if width < NARROW:
        return Group(*(_answer_lines(*pair, width) for pair in course.answers))
    table = plain_table()
    share = width // 4 - 3
    table.add_column("question", overflow="fold", max_width=share + 2)
    if course.answers:
        first, last = course.answers[0]
        table.add_column(f"step {first.step}", no_wrap=True)
        table.add_column(f"step {last.step}", no_wrap=True)
    table.add_column("right answer", no_wrap=True)
    for before, after in course.answers:
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
    right = bool(event.metadata["correct"])
    mark = Text("✓ " if right else "✗ ", style="green" if right else "red")
    return mark.append(one_line(str(event.metadata["completion"]), width - 2), style="default")
