"""What evaluations measure, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kitchen_tui.format import number, percent, signed, with_error


@dataclass(frozen=True)
class Measure:
    """A metric of evaluations: its name, a label for tables, a word for lines, and how it is written."""

    name: str
    label: str
    word: str
    show: Callable[[float | None], str]

    @property
    def error(self) -> str:
        """The name of its standard error, which not every measure has."""
        return f"{self.name}_stderr"

    def told(self, value: float | None, error: float | None = None) -> str:
        """The value, with its standard error where there is one: `64.9 ± 2.1 %`."""
        if error is None or value is None:
            return self.show(value)
        if self.show is percent:
            return f"{percent(value).removesuffix(' %')} ± {percent(error)}"
        return with_error(value, error)


LOSS = Measure("test/nll", "held-out nll", "nll", number)
"""What every workflow can measure, and what says least about what was learned."""

MEASURES = (
    Measure("test/accuracy", "pairs in order", "pairs", percent),
    Measure("test/margin", "margin", "margin", signed),
    Measure("test/env/all/correct", "right, sampled", "right", percent),
    Measure("test/greedy/env/all/correct", "right, greedy", "greedy", percent),
    Measure("test/env/all/reward/total", "reward", "reward", number),
    Measure("test/exact_match", "right, sampled", "right", percent),
    Measure("test/greedy_exact_match", "right, greedy", "greedy", percent),
    LOSS,
)
"""The measures that the kitchen's own workflows have, what a workflow is about first."""

_BY_NAME = {measure.name: measure for measure in MEASURES}


def measure_of(name: str) -> Measure:
    """The measure of a metric; one that nobody here knows goes by its own name."""
    return _BY_NAME.get(name) or Measure(name, name, name, number)


def measures_in(names: Iterable[str]) -> Iterator[Measure]:
    """The known measures among some metrics, what a workflow is about first."""
    given = set(names)
    return (measure for measure in MEASURES if measure.name in given)


def own_measure(metrics: Mapping[str, float | None]) -> Measure | None:
    """The measure that says most about what a run has learned, the loss apart."""
    return next((measure for measure in measures_in(metrics) if measure is not LOSS), None)
