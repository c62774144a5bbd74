"""A run cut into spans: its start, the steps between two checkpoints, a checkpoint being written, an
evaluation, the export; and where in them a worker stands, as the home's files show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import Event, EventKind

Part = Literal["start", "steps", "checkpoint", "evaluation", "export"]


@dataclass(frozen=True)
class ShortRun:
    """A recipe's run of a few seconds that measures and saves.

    prepared: the last stage before the steps that a resume runs again. measures: the stage that ends
    with `eval.completed`. samples: the stage in which the model makes what it is then trained on.
    """

    recipe: str
    prepared: str = "BuildDatums"
    measures: str = "Evaluate"
    samples: str | None = None
    max_steps: int = 30
    save_every: int = 5
    eval_every: int = 10
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def overrides(self) -> dict[str, Any]:
        """What the recipe is launched with."""
        return {
            "max_steps": self.max_steps,
            "save_every": self.save_every,
            "eval_every": self.eval_every,
            "keep_checkpoints": 2,
            **self.others,
        }

    @property
    def measuring_last(self) -> Told:
        """The last evaluation has begun."""
        return Told("stage.started", self.measures, self.max_steps)


@dataclass(frozen=True)
class Told:
    """What an attempt has told once something has happened."""

    kind: str
    stage: str | None = None
    step: int | None = None

    def is_it(self, event: Event) -> bool:
        """Whether an event tells it."""
        return (
            event.kind == self.kind
            and self.stage in (None, event.stage)
            and self.step in (None, event.step)
        )


EXPORTING = Told("stage.started", "SaveFinal")


@dataclass(frozen=True)
class Attempt:
    """One worker's go at a run."""

    home: Home
    store: Store
    short: ShortRun
    run_id: str
    number: int

    @property
    def events(self) -> list[Event]:
        """What it has told so far."""
        found = self.store.read_events(run_id=self.run_id)
        return [event for event in found if event.attempt == self.number]

    def has(self, told: Told) -> bool:
        """Whether it has told this."""
        return any(told.is_it(event) for event in self.events)

    @property
    def pid(self) -> int | None:
        """Its process, once there is one and while nobody has seen it end."""
        live = self.store.open_attempts()
        mine = [a.pid for a in live if (a.run_id, a.number) == (self.run_id, self.number)]
        return mine[0] if mine else None

    def is_writing(self, folders: str) -> bool:
        """Whether it has begun such a folder, on its way to the artifacts."""
        return any(self.home.attempt_scratch(self.run_id, self.number).glob(folders))

    @cached_property
    def place(self) -> Part:
        """Where a stopped worker stands, from what it has written and what not."""
        if not self.has(Told("stage.completed", self.short.prepared)):
            return "start"
        if self.has(EXPORTING):
            return "export"
        if self._is_saving():
            return "checkpoint"
        return "evaluation" if self._is_measuring() else "steps"

    @cached_property
    def is_sampling(self) -> bool:
        """Whether a stopped worker stands in the first sampling of its attempt."""
        stage = self.short.samples
        begun, done = Told("stage.started", stage), Told("stage.completed", stage)
        return stage is not None and self.has(begun) and not self.has(done)

    def _is_saving(self) -> bool:
        """From the first folder to the last withdrawal; stored is not yet told of."""
        stored = max((a.step or 0 for a in self.store.list_artifacts(self.run_id)), default=0)
        storing = any((self.home.root / "artifacts" / "tmp").iterdir())
        return storing or self.is_writing("checkpoint-*") or stored > self._at

    def _is_measuring(self) -> bool:
        """It measures at each multiple of the cadence, first thing after the checkpoint there."""
        short = self.short
        if self.has(short.measuring_last):
            return not self.has(Told("stage.completed", short.measures, short.max_steps))
        return self._at % short.eval_every == 0 and not self.has(
            Told("eval.completed", short.measures, self._at)
        )

    @property
    def _at(self) -> int:
        """The step that it saved last or resumed from."""
        kinds = (EventKind.CHECKPOINT_SAVED, EventKind.RUN_RESUMED)
        return max((event.step or 0 for event in self.events if event.kind in kinds), default=0)


@dataclass(frozen=True)
class Span:
    """A stretch of a run, at or from a step on. seconds: what it took in a run left alone."""

    part: Part
    step: int
    seconds: float
    has_begun: Callable[[Attempt], bool]

    @property
    def first_half(self) -> Span:
        """What is left to aim at, once a run was found to be past it."""
        return replace(self, seconds=self.seconds / 2)


def sampling_of(store: Store, short: ShortRun, run_id: str) -> Span:
    """The first sampling of an attempt, as long as it took in a run that was left alone."""
    begun = Told("stage.started", short.samples)
    done = Told("stage.completed", short.samples)
    at = {told: _at(store.read_events(run_id=run_id), told) for told in (begun, done)}
    return Span("steps", 0, at[done] - at[begun], lambda attempt: attempt.has(begun))


def spans_of(store: Store, short: ShortRun, run_id: str) -> list[Span]:
    """The spans of a run that was left alone, in order."""
    events = store.read_events(run_id=run_id)
    (attempt,) = store.attempts(run_id)
    last = short.max_steps

    def at(told: Told) -> float:
        return _at(events, told)

    def between(part: Part, step: int, begin: Told, end: float) -> Span:
        seconds = max(0.0, end - at(begin))  # not every checkpoint takes as long as the first
        return Span(part, step, seconds, lambda attempt: attempt.has(begin))

    def checkpoint(step: int) -> Span:
        return Span("checkpoint", step, saving, lambda a: a.is_writing(f"checkpoint-{step}"))

    def leased(attempt: Attempt) -> bool:
        return attempt.pid is not None

    saving = at(Told("stage.completed", "Checkpoint")) - at(Told("stage.started", "Checkpoint"))
    prepared = Told("stage.completed", short.prepared)
    spans = [Span("start", 0, at(prepared) - attempt.started_at, leased)]
    begin = Told("stage.started", short.measures, 0)
    for step in range(0, last, short.save_every):
        if step > 0:
            spans.append(checkpoint(step))
            begin = Told("checkpoint.saved", step=step)
        if step % short.eval_every == 0:
            measured = Told("eval.completed", short.measures, step)
            spans.append(between("evaluation", step, begin, at(measured)))
            begin = measured
        after = step + short.save_every
        saved = Told("checkpoint.saved", step=after)
        end = at(short.measuring_last) if after == last else at(saved) - saving
        spans.append(between("steps", step, begin, end))
    return [
        *spans,
        between("evaluation", last, short.measuring_last, at(EXPORTING)),
        between("export", last, EXPORTING, at(Told("run.completed"))),
    ]


def _at(events: Sequence[Event], told: Told) -> float:
    return next(event.at for event in events if told.is_it(event))
