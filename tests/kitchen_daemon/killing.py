"""Killing workers at random points of a run, the same points for the same seed.

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
from typing import Literal

from watchfiles import watch

from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import Launch, RunInfo
from tests.kitchen_daemon.spans import LAST, SHORT, Attempt, Part, Span, Told, spans_of
from tests.kitchen_daemon.support import Daemon, final_sha256, is_at_rest

RECIPES = ("sl_basic", "chat_sl")
WAIT_S = 120.0
TRIES = 8  # to hit a span that is over in milliseconds
TWICE = 4  # among so many points of a recipe, one run is killed twice

Aim = Part | Literal["early"]
POINTS: dict[Aim, int] = {
    "start": 2,
    "early": 2,
    "steps": 7,
    "checkpoint": 6,
    "evaluation": 4,
    "export": 4,
}
"""How many points of one recipe fall where. All but the first two lie after the first checkpoint;
`early` is anything in between.
"""


@dataclass(frozen=True)
class Undisturbed:
    """A run left alone: what it made, and how long each part of it took."""

    sha256: str
    spans: list[Span]


@dataclass(frozen=True)
class Survival:
    """What became of a run that was killed. places: where it stood, each time."""

    run: RunInfo
    places: list[Part]
    after_first_checkpoint: bool


def recipe_of(seed: int) -> str:
    """The recipe that a seed is about."""
    return RECIPES[seed % len(RECIPES)]


def kills_of(seed: int) -> int:
    """How often the seed's run is killed, where the second kill comes before its end."""
    return 2 if seed // len(RECIPES) % TWICE == 0 else 1


def undisturbed_run(daemon: Daemon, store: Store, recipe: str) -> Undisturbed:
    """Run a recipe to its end."""
    run = daemon.settled(_launch(daemon, recipe).id)
    return Undisturbed(final_sha256(run), spans_of(store, run.id))


def killed_and_resumed(daemon: Daemon, store: Store, spans: Sequence[Span], seed: int) -> Survival:
    """Run the seed's recipe, kill it at the seed's point, or two points, and resume it."""
    random = Random(seed)
    aims: list[Aim] = [aim for aim, count in POINTS.items() for _ in range(count)]
    span = random.choice(_spans_for(spans, aims[seed // len(RECIPES) % len(aims)]))
    next_span = random.choice(_left(spans, span))
    first, cursor = _run_killed_in(daemon, store, recipe_of(seed), span, random)
    places: list[Part] = [first.place]
    daemon.client.resume(first.run_id)
    if kills_of(seed) == 2:
        second = Attempt(daemon.home, store, first.run_id, 2)
        cursor = _killed_in(daemon, second, next_span, random, cursor)
        if daemon.client.run(first.run_id).status is not RunStatus.COMPLETED:
            places.append(second.place)
            daemon.client.resume(first.run_id)
    run = daemon.client.run(first.run_id)
    if not run.status.is_at_rest:
        daemon.until(run.id, is_at_rest, cursor=cursor)
        run = daemon.client.run(run.id)
    return Survival(run, places, first.has(Told("checkpoint.saved")))


def _launch(daemon: Daemon, recipe: str) -> RunInfo:
    return daemon.client.launch(Launch(recipe=recipe, overrides=SHORT))


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
    return [s for s in spans if s.part == "start" or s.step == LAST or s.step > span.step]


def _run_killed_in(
    daemon: Daemon, store: Store, recipe: str, span: Span, random: Random
) -> tuple[Attempt, str]:
    """A run's first attempt, killed in a span, and a cursor behind that. One that was past it
    when the signal came is left, and another tried at another share of the span.
    """
    for _ in range(TRIES):
        attempt = Attempt(daemon.home, store, _launch(daemon, recipe).id, 1)
        cursor = _killed_in(daemon, attempt, span, random)
        is_over = daemon.client.run(attempt.run_id).status is RunStatus.COMPLETED
        if attempt.place == span.part and not is_over:
            return attempt, cursor
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
            _ = attempt.place  # from here on it is known
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
