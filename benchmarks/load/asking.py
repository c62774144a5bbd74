"""Clients that ask: what a screen or a script that looks at the kitchen again and again would."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import cycle
from typing import Literal, NamedTuple

from benchmarks.load.signals import signals
from kitchen_core.home import Home
from kitchen_daemon.client import Client

LISTS = frozenset(
    {"newest 20 runs", "newest 50 runs", "20 completed runs", "20 runs of a recipe", "queue"}
)
"""The calls that a screen makes again and again."""
_ENDS: tuple[Literal["first"], Literal["last"]] = ("first", "last")


class Call(NamedTuple):
    """One call. seconds: from asking to having the answer as models."""

    kind: str
    seconds: float


def ask(home: Home, seed: int, pause_s: float) -> list[Call]:
    """Ask one question after another, thinking for `pause_s` between them on average, until it is over."""
    draw = random.Random(seed)
    calls: list[Call] = []
    with Client(home) as client:
        questions = _questions(client, draw)
        signals().await_begin()
        for kind, question in cycle(questions):
            if signals().over.wait(draw.uniform(0, 2 * pause_s)):
                return calls
            begun = time.perf_counter()
            question()
            calls.append(Call(kind, time.perf_counter() - begun))
    raise AssertionError("a cycle has no end")


def change(home: Home, pause_s: float) -> list[Call]:
    """Bring the waiting run that was submitted last before all others, or behind them, again and again, until it is
    over: the dispatcher decides anew each time.
    """
    calls: list[Call] = []
    with Client(home) as client:
        (last,) = client.runs(status="queued", limit=1)
        signals().await_begin()
        for to in cycle(_ENDS):
            if signals().over.wait(pause_s):
                break
            begun = time.perf_counter()
            client.move(last.id, to)
            calls.append(Call("move a run", time.perf_counter() - begun))
    return calls


def _questions(client: Client, draw: random.Random) -> list[tuple[str, Callable[[], object]]]:
    """What it asks in turn, beginning somewhere."""
    known = [run.id for run in client.runs(limit=200)]
    known += [run.id for run in client.runs(status="completed", limit=200)]
    questions: list[tuple[str, Callable[[], object]]] = [
        ("newest 20 runs", lambda: client.runs(limit=20)),
        ("queue", lambda: client.queue(limit=50)),
        ("newest 50 runs", lambda: client.runs(limit=50)),
        ("show a run", lambda: client.run(draw.choice(known))),
        ("20 completed runs", lambda: client.runs(status="completed", limit=20)),
        ("20 runs of a recipe", lambda: client.runs(recipe="chat_sl", limit=20)),
        ("show by a prefix", lambda: client.run(draw.choice(known)[:-1])),
        ("show by a name", lambda: client.run("sl_basic")),
        ("queue", lambda: client.queue(limit=50)),
        ("status", client.status),
    ]
    first = draw.randrange(len(questions))
    return questions[first:] + questions[:first]
