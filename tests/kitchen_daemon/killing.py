"""Killing workers at random points of a run, the same points for the same seed.

A run is cut into spans: its start, the steps between two checkpoints, a checkpoint being written,
an evaluation, the export. A point is a span and a share of the time that this span took in a run
left alone. When a span has begun is read off the home's files, which tell within milliseconds.
Before it is killed the worker is stopped, to see where it really stands.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Literal

from watchfiles import watch

from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import Event, EventKind, RunStatus
from kitchen_daemon.models import Launch, RunInfo
from tests.kitchen_daemon.support import Daemon, final_sha256, is_at_rest

RECIPES = ("sl_basic", "chat_sl")
SHORT = {
    "max_steps": 60,
    "save_every": 10,
    "eval_every": 20,
    "eval_examples": 40,
    "keep_checkpoints": 2,
}
LAST = SHORT["max_steps"]
WAIT_S = 120.0
TRIES = 5  # to hit a span that is over in milliseconds

Part = Literal["start", "steps", "checkpoint", "evaluation", "export"]
PARTS: tuple[Part | Literal["early"], ...] = (
    *("start",) * 2,
    *("early",) * 2,
    *("steps",) * 7,
    *("checkpoint",) * 6,
    *("evaluation",) * 4,
    *("export",) * 4,
)
"""Where the points of one recipe fall. `early`: anything before the first checkpoint is whole."""


@dataclass(frozen=True)
class Attempt:
    """One worker's go at a run, as its files show it."""

    home: Home
    store: Store
    run_id: str
    number: int

    @property
    def events(self) -> list[Event]:
        """What it has told so far."""
        found = self.store.read_events(run_id=self.run_id)
        return [event for event in found if event.attempt == self.number]

    def told(self, kind: str, stage: str | None = None, step: int | None = None) -> bool:
        """Whether it has told this."""
        return any(
            event.kind == kind
            and stage in (None, event.stage)
            and (step is None or event.step == step)
            for event in self.events
        )

    @property
    def pid(self) -> int | None:
        """Its process, once there is one and while nobody has seen it end."""
        live = self.store.open_attempts()
        mine = [a.pid for a in live if (a.run_id, a.number) == (self.run_id, self.number)]
        return mine[0] if mine else None

    def is_writing(self, folder: str) -> bool:
        """Whether it has begun this folder, on its way to the artifacts."""
        return (self.home.attempt_scratch(self.run_id, self.number) / folder).exists()

    @cached_property
    def place(self) -> Part:
        """Where a stopped worker stands, from what it has written and what not."""
        if not self.told("stage.completed", "BuildDatums"):
            return "start"
        if self.told("stage.started", "SaveFinal"):
            return "export"
        saved = self._newest(EventKind.CHECKPOINT_SAVED)
        stored = [a.step or 0 for a in self.store.list_artifacts(self.run_id) if a.step != LAST]
        under_way = list(self.home.attempt_scratch(self.run_id, self.number).glob("checkpoint-*"))
        storing = list((self.home.root / "artifacts" / "tmp").iterdir())
        if under_way or storing or max(stored, default=0) > saved:
            return "checkpoint"
        return "evaluation" if self._is_measuring(saved) else "steps"

    def _is_measuring(self, saved: int) -> bool:
        """It measures at each multiple of the cadence, first thing after the checkpoint there."""
        if self.told("stage.started", "Evaluate", LAST):
            return not self.told("stage.completed", "Evaluate", LAST)
        resumed = self._newest(EventKind.RUN_RESUMED)
        at = max(saved, resumed)
        return at % SHORT["eval_every"] == 0 and not self.told("eval.completed", step=at)

    def _newest(self, kind: EventKind) -> int:
        return max((event.step or 0 for event in self.events if event.kind == kind), default=0)


@dataclass(frozen=True)
class Span:
    """A stretch of a run, at or from a step on. seconds: what it took in a run left alone."""

    part: Part
    step: int
    seconds: float
    has_begun: Callable[[Attempt], bool]


def spans_of(store: Store, run_id: str) -> list[Span]:
    """The spans of a run that was left alone, in order."""
    events = store.read_events(run_id=run_id)

    def at(kind: str, stage: str | None = None, step: int | None = None) -> float:
        return next(
            event.at
            for event in events
            if event.kind == kind and stage in (None, event.stage) and step in (None, event.step)
        )

    def telling(kind: str, stage: str | None, step: int | None) -> Callable[[Attempt], bool]:
        return lambda attempt: attempt.told(kind, stage, step)

    def writing(folder: str) -> Callable[[Attempt], bool]:
        return lambda attempt: attempt.is_writing(folder)

    (leased,) = [attempt.started_at for attempt in store.attempts(run_id)]
    saving = at("stage.completed", "Checkpoint") - at("stage.started", "Checkpoint")
    evaluated = at("stage.completed", "Evaluate", 0)
    spans = [
        Span(
            "start",
            0,
            at("stage.completed", "BuildDatums") - leased,
            lambda attempt: attempt.pid is not None,
        ),
        Span(
            "evaluation",
            0,
            evaluated - at("stage.started", "Evaluate", 0),
            telling("stage.started", "Evaluate", 0),
        ),
        Span(
            "steps",
            0,
            at("checkpoint.saved", step=10) - saving - evaluated,
            telling("stage.completed", "Evaluate", 0),
        ),
    ]
    for step in range(SHORT["save_every"], LAST, SHORT["save_every"]):
        spans.append(Span("checkpoint", step, saving, writing(f"checkpoint-{step}")))
        before: tuple[str, str | None, int] = ("checkpoint.saved", None, step)
        if step % SHORT["eval_every"] == 0:
            measured = ("eval.completed", "Evaluate", step)
            spans.append(Span("evaluation", step, at(*measured) - at(*before), telling(*before)))
            before = measured
        after = step + SHORT["save_every"]
        end = (
            at("stage.started", "Evaluate", LAST)
            if after == LAST
            else at("checkpoint.saved", None, after) - saving
        )
        spans.append(Span("steps", step, end - at(*before), telling(*before)))
    last = at("stage.started", "Evaluate", LAST)
    exporting = at("stage.started", "SaveFinal")
    return [
        *spans,
        Span("evaluation", LAST, exporting - last, telling("stage.started", "Evaluate", LAST)),
        Span(
            "export",
            LAST,
            at("run.completed") - exporting,
            telling("stage.started", "SaveFinal", LAST),
        ),
    ]


@dataclass(frozen=True)
class Undisturbed:
    """A run left alone: what it made, and how long each part of it took."""

    sha256: str
    spans: list[Span]


def undisturbed_run(daemon: Daemon, store: Store, recipe: str) -> Undisturbed:
    """Run a recipe to its end."""
    run = daemon.settled(launch(daemon, recipe).id)
    return Undisturbed(final_sha256(run), spans_of(store, run.id))


def launch(daemon: Daemon, recipe: str) -> RunInfo:
    """Queue a short run."""
    return daemon.client.launch(Launch(recipe=recipe, overrides=SHORT))


@dataclass(frozen=True)
class Survival:
    """What became of a run that was killed. places: where it stood, each time."""

    run: RunInfo
    places: tuple[Part, ...]
    after_first_checkpoint: bool


def recipe_of(seed: int) -> str:
    """The recipe that a seed is about."""
    return RECIPES[seed % len(RECIPES)]


def killed_and_resumed(daemon: Daemon, store: Store, spans: Sequence[Span], seed: int) -> Survival:
    """Run the seed's recipe, kill it at the seed's point (every fourth one twice) and resume it."""
    random = Random(seed)
    number = seed // len(RECIPES)
    first = random.choice(_spans_for(spans, PARTS[number % len(PARTS)]))
    run_id, cursor, place, saved = _killed_at(daemon, store, recipe_of(seed), first, random)
    places = [place]
    daemon.client.resume(run_id)
    if number % 4 == 0:
        later = [s for s in spans if s.part == "start" or s.step == LAST or s.step > first.step]
        again = Attempt(daemon.home, store, run_id, 2)
        _kill(again, random.choice(later), random.random())
        places.append(again.place)
        items = daemon.until(run_id, is_at_rest, cursor=cursor)
        if daemon.client.run(run_id).status is not RunStatus.COMPLETED:
            cursor = items[-1].cursor
            daemon.client.resume(run_id)
    daemon.until(run_id, is_at_rest, cursor=cursor)
    return Survival(daemon.client.run(run_id), tuple(places), saved)


def _spans_for(spans: Sequence[Span], part: str) -> list[Span]:
    first = next(i for i, span in enumerate(spans) if span.part == "checkpoint") + 1
    if part == "early":
        return list(spans[1:first])
    if part == "start":
        return list(spans[:1])
    return [span for span in spans[first:] if span.part == part]


def _killed_at(
    daemon: Daemon, store: Store, recipe: str, span: Span, random: Random
) -> tuple[str, str, Part, bool]:
    """A run that was killed in a span: its id, a cursor after its end, where it stood, and whether
    a checkpoint was whole. A run that was over before the signal came is left, and another tried.
    """
    for _ in range(TRIES):
        run = launch(daemon, recipe)
        attempt = Attempt(daemon.home, store, run.id, 1)
        _kill(attempt, span, random.random())
        cursor = daemon.until(run.id, is_at_rest)[-1].cursor
        if daemon.client.run(run.id).status is not RunStatus.COMPLETED:
            return run.id, cursor, attempt.place, attempt.told("checkpoint.saved")
    raise AssertionError(f"{TRIES} runs were over before they could be killed in {span}")


def _kill(attempt: Attempt, span: Span, share: float) -> None:
    """Stop the worker a share of the span's time after it has begun, look where it is, kill it."""
    _until_on_disk(attempt.home, lambda: span.has_begun(attempt))
    time.sleep(share * span.seconds)
    pid = attempt.pid
    if pid is None:  # it is over
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        _ = attempt.place
        os.kill(pid, signal.SIGKILL)


def _until_on_disk(home: Home, holds: Callable[[], bool]) -> None:
    """Wait until something holds, looking whenever a file of the home changes."""
    deadline = time.monotonic() + WAIT_S
    changes = watch(
        home.root, watch_filter=None, debounce=1, step=1, rust_timeout=50, yield_on_timeout=True
    )
    for _ in changes:
        if holds():
            return
        assert time.monotonic() < deadline, "the run did not get there"
