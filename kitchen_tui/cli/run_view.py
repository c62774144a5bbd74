"""What a watcher knows of a run: its facts, its series so far, its last evaluation and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from kitchen_core.telemetry.schema import Event, EventKind, MetricPoint
from kitchen_daemon.models import RunInfo, StreamItem

HEADLINES = (
    "teacher_kl",
    "env/all/reward/total",
    "dpo_loss",
    "train_mean_nll",
    "loss",
)
"""The series that says most about a run's progress: the first of these that it has."""

SPOKEN = ("answer", "rollout", "pair", "distilled")
"""The kinds of samples that show what a model does, the most telling first."""

_SIDE_GROUPS = ("time/", "optim/", "test/", "memory/", "env/", "sampling_client/", "left_out/")
_SIDE_NAMES = frozenset({"learning_rate", "epoch", "progress"})
_COUNTS = "num_"


@dataclass
class RunView:
    """A run as its stream has told it so far.

    A screen may draw it from another thread: whoever changes or reads it then holds the lock.
    """

    info: RunInfo
    series: dict[str, dict[int, float | None]] = field(default_factory=dict)
    stage: str | None = None
    evaluation: Event | None = None
    note: Event | None = None
    warnings: list[Event] = field(default_factory=list)
    samples: dict[str, dict[int, Event]] = field(default_factory=dict)
    away: bool = False
    lock: Lock = field(default_factory=Lock, repr=False)

    def take(self, item: StreamItem) -> None:
        """Learn one item."""
        for point in item.metrics or ():
            self._take_point(point)
        if item.metrics and self.note and is_notice(self.note):
            self.note = None  # it goes on
        if item.event:
            self._take_event(item.event)

    @property
    def headline(self) -> str | None:
        """The name of the series to show."""
        return headline(self.series)

    def points(self, name: str) -> list[tuple[int, float | None]]:
        """A series in order of steps."""
        return sorted(self.series.get(name, {}).items())

    @property
    def said(self) -> list[Event]:
        """The newest samples of the kind that shows best what the model does."""
        of_kind = next((self.samples[kind] for kind in SPOKEN if kind in self.samples), {})
        return [of_kind[index] for index in sorted(of_kind)]

    def _take_point(self, point: MetricPoint) -> None:
        self.series.setdefault(point.name, {})[point.step] = point.value
        if point.name in HEADLINES:
            self.stage = "training"

    def _take_event(self, event: Event) -> None:
        match event.kind:
            case EventKind.STAGE_STARTED:
                self.stage = event.stage
            case EventKind.EVAL_COMPLETED:
                self.evaluation = event
            case EventKind.PORT_RETRIED | EventKind.PORT_WAITING:
                self.note = event
            case EventKind.LOG:
                self.note = event
                if is_warning(event):
                    self.warnings.append(event)
            case EventKind.SAMPLE_LOGGED:
                self._take_sample(event)
            case EventKind.RUN_RESUMED:
                self._rewind(event.step or 0)
            case _:
                pass

    def _take_sample(self, event: Event) -> None:
        of_kind = self.samples.setdefault(event.metadata.get("kind", "answer"), {})
        if any(sample.step != event.step for sample in of_kind.values()):
            of_kind.clear()
        of_kind[event.metadata.get("index", 0)] = event

    def _rewind(self, step: int) -> None:
        """A resume writes again what lay beyond its checkpoint."""
        for name, values in self.series.items():
            self.series[name] = {at: value for at, value in values.items() if at <= step}


def is_warning(event: Event) -> bool:
    """Whether a run has something to say that its owner should know."""
    return event.kind is EventKind.LOG and event.metadata.get("level") == "warning"


def is_notice(event: Event) -> bool:
    """Whether an adapter asks again, or waits."""
    return event.kind in (EventKind.PORT_RETRIED, EventKind.PORT_WAITING)


def headline(names: Iterable[str]) -> str | None:
    """The series that says most about a run: a known one, else the first that is no side show."""
    known = list(names)
    main = [name for name in known if not _is_side_show(name)]
    return next((name for name in (*HEADLINES, *main) if name in known), None)


def _is_side_show(name: str) -> bool:
    return name in _SIDE_NAMES or name.startswith((*_SIDE_GROUPS, _COUNTS))
