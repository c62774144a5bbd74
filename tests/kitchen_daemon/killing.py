"""Killing workers at random points of a run, the same points every time.

A point is a span and a share of the time that this span took in a run left alone. When a span has
begun is read off the home's files, which tell within milliseconds. Before it is killed the worker is
stopped, to see where it really stands.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from watchfiles import watch

from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import Launch, RunInfo
from tests.kitchen_daemon.spans import (
    Attempt,
    Part,
    ShortRun,
    Span,
    Told,
    sampling_of,
    spans_of,
)
from tests.kitchen_daemon.support import Daemon, final_sha256, is_at_rest

WAIT_S = 120.0
TRIES = 8  # to hit a span that is over in milliseconds
TWICE = 3  # among so many points of a run, one is killed twice

MEASURED = {"eval_examples": 40, "eval_samples": 40}
FEW_STEPS = {"max_steps": 12, "save_every": 2, "eval_every": 4}
ROLLOUTS: dict[str, Any] = {
    "prepared": "MakeBuffer",
    "measures": "EvaluateEnvs",
    "samples": "Rollout",
    **FEW_STEPS,
}
LAGGING = {"eval_samples": 40, "max_steps_off_policy": 2}
RUNS = {
    "sl_basic": ShortRun("sl_basic", others=MEASURED),
    "chat_sl": ShortRun("chat_sl", others=MEASURED),
    "dpo": ShortRun(
        "dpo",
        prepared="ReferenceLogprobs",
        max_steps=40,
        others={"batch_size": 64, "num_epochs": 2, **MEASURED},
    ),
    "math_rl": ShortRun("math_rl", others={"eval_samples": 40}, **ROLLOUTS),
    "math_rl off policy": ShortRun("math_rl", others=LAGGING, **ROLLOUTS),
    "distillation": ShortRun(
        "distillation",
        prepared="LoadTeacherSampler",
        samples="AnswerPrompts",
        others=MEASURED,
        **FEW_STEPS,
    ),
}
"""The runs that are killed, by name. dpo has two epochs, and none of its checkpoints lies between them."""

Aim = Part | Literal["early", "sampling"]
POINTS: dict[Aim, int] = {
    "start": 2,
    "early": 2,
    "steps": 6,
    "checkpoint": 5,
    "evaluation": 4,
    "export": 3,
}
"""How many points of a run fall where. All but the first two lie after the first checkpoint; `early` is
anything in between.
"""

SAMPLING = 4
"""Points of a run that samples, more: killed among its steps, resumed, and killed while it samples."""


@dataclass(frozen=True)
class Undisturbed:
    """A run left alone: what it made, and how long each part of it took."""

    short: ShortRun
    sha256: str
    spans: list[Span]
    sampling: Span | None


@dataclass(frozen=True)
class Survival:
    """What became of a run that was killed. places: where it stood, each time. sampling: whether it was
    in the middle of sampling, the last time.
    """

    run: RunInfo
    places: list[Part]
    after_first_checkpoint: bool
    sampling: bool


@dataclass(frozen=True)
class Point:
    """Where a run is killed: which run, and which of its points."""

    name: str
    number: int

    @property
    def aim(self) -> Aim:
        """What is aimed at."""
        aims = aims_of(self.name)
        return aims[self.number % len(aims)]

    @property
    def kills(self) -> int:
        """How often it is killed, where the second kill comes before its end."""
        return 2 if self.aim == "sampling" or self.number % TWICE == 0 else 1

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


def aims_of(name: str) -> list[Aim]:
    """What the points of a run aim at, in order."""
    aims: list[Aim] = [aim for aim, count in POINTS.items() for _ in range(count)]
    sampling: list[Aim] = ["sampling" for _ in range(SAMPLING) if RUNS[name].samples]
    return aims + sampling


def undisturbed_run(daemon: Daemon, store: Store, name: str) -> Undisturbed:
    """Run it to its end."""
    short = RUNS[name]
    run = daemon.settled(_launch(daemon, short).id)
    sampling = sampling_of(store, short, run.id) if short.samples else None
    return Undisturbed(short, final_sha256(run), spans_of(store, short, run.id), sampling)


def killed_and_resumed(daemon: Daemon, store: Store, alone: Undisturbed, point: Point) -> Survival:
    """Start the run anew, kill it at the point, or at two, and resume it."""
    random = Random(str(point))
    if point.aim != "sampling":
        first = random.choice(_spans_for(alone.spans, point.aim))
        second = random.choice(_left(alone.spans, first)) if point.kills == 2 else None
        return _survival(daemon, store, alone.short, first, second, random)
    assert alone.sampling
    *spans, _ = _spans_for(alone.spans, "steps")  # off policy, the last may have nothing to sample
    first, sampling = random.choice(spans), alone.sampling
    for _ in range(TRIES):
        survival = _survival(daemon, store, alone.short, first, sampling, random)
        if survival.sampling:
            return survival
        sampling = sampling.first_half
    raise AssertionError(f"{TRIES} runs were past sampling before they could be killed in it")


def _survival(
    daemon: Daemon,
    store: Store,
    short: ShortRun,
    span: Span,
    next_span: Span | None,
    random: Random,
) -> Survival:
    first, cursor = _run_killed_in(daemon, store, short, span, random)
    last = first
    places: list[Part] = [first.place]
    daemon.client.resume(first.run_id)
    if next_span is not None:
        second = Attempt(daemon.home, store, short, first.run_id, 2)
        cursor = _killed_in(daemon, second, next_span, random, cursor)
        if daemon.client.run(first.run_id).status is not RunStatus.COMPLETED:
            places.append(second.place)
            last = second
            daemon.client.resume(first.run_id)
    run = daemon.client.run(first.run_id)
    if not run.status.is_at_rest:
        daemon.until(run.id, is_at_rest, cursor=cursor)
        run = daemon.client.run(run.id)
    return Survival(run, places, first.has(Told("checkpoint.saved")), last.is_sampling)


def _launch(daemon: Daemon, short: ShortRun) -> RunInfo:
    return daemon.client.launch(Launch(recipe=short.recipe, overrides=short.overrides))


def _spans_for(spans: Sequence[Span], aim: Aim) -> list[Span]:
    first = next(i for i, span in enumerate(spans) if span.part == "checkpoint")
    match aim:
        case "start":
            return [spans[0]]
        case "early":
            return list(spans[1 : first + 1])
        case _:
            return [span for span in spans[first + 1 :] if span.part == aim]


def _left(spans: Sequence[Span], span: Span) -> list[Span]:
    """What a run that was killed in a span is sure to come by once more."""
    last = spans[-1].step
    return [s for s in spans if s.part == "start" or s.step == last or s.step > span.step]


def _run_killed_in(
    daemon: Daemon, store: Store, short: ShortRun, span: Span, random: Random
) -> tuple[Attempt, str]:
    """A run's first attempt, killed in a span, and a cursor behind that. One that was past it
    when the signal came is left, and another tried sooner.
    """
    aim = span
    for _ in range(TRIES):
        attempt = Attempt(daemon.home, store, short, _launch(daemon, short).id, 1)
        cursor = _killed_in(daemon, attempt, aim, random)
        is_over = daemon.client.run(attempt.run_id).status is RunStatus.COMPLETED
        if attempt.place == span.part and not is_over:
            return attempt, cursor
        aim = aim.first_half
    raise AssertionError(f"{TRIES} runs were past {span} before they could be killed in it")


def _killed_in(
    daemon: Daemon, attempt: Attempt, span: Span, random: Random, cursor: str | None = None
) -> str:
    """Stop the worker a random share of the span's time after it has begun, see where it stands,
    kill it, and wait until the daemon has seen it; returns a cursor behind that.
    """
    _until_on_disk(attempt.home, lambda: span.has_begun(attempt))
    time.sleep(random.random() * span.seconds)
    pid = attempt.pid
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            _ = attempt.place, attempt.is_sampling  # from here on they are known
            os.kill(pid, signal.SIGKILL)
    return daemon.until(attempt.run_id, is_at_rest, cursor=cursor)[-1].cursor


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
