"""A night that is short but real: twelve runs of the five recipes, and a window of minutes for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from kitchen_core.store import Store
from kitchen_core.store.records import AttemptRecord
from kitchen_core.telemetry.schema import Event
from kitchen_daemon.models import Launch, NewWindow, NightPlan, RunInfo
from tests.kitchen_daemon.support import Daemon

MINUTE_S = 60.0
AHEAD_S = 20.0
"""What twelve launches may take before the first opening."""
WHOLE_S = 3600.0
"""What a night may take in all."""

LENGTHY = {"num_epochs": 1000, "save_every": 25, "eval_every": 0}
"""Overrides with which a run takes as many steps as it is asked for."""


@dataclass(frozen=True)
class Wish:
    """A run of the night. seconds: what it is to take with a worker. takes: settings that name the result of an
    earlier one.
    """

    name: str
    recipe: str
    seconds: float
    priority: int = 0
    takes: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    overrides: Mapping[str, object] = field(default_factory=dict)

    @property
    def parents(self) -> set[str]:
        """The runs that have to complete first."""
        return {*self.takes.values(), *self.after}


WISHES = (
    Wish("base", "sl_basic", 30, priority=10),
    Wish("pairs", "dpo", 35, takes={"model": "base"}, overrides={"eval_every": 200}),
    Wish("sums", "math_rl", 40, priority=5, takes={"model": "base"}),
    Wish("student", "distillation", 35, takes={"model": "base", "teacher": "sums"}),
    Wish("chat", "chat_sl", 45, priority=5, overrides={"seed": 1}),
    Wish("base again", "sl_basic", 30, after=("chat",), overrides={"seed": 1}),
    Wish("chat after all", "chat_sl", 35, takes={"model": "base again"}, overrides={"seed": 2}),
    Wish("firm pairs", "dpo", 30, priority=-5, overrides={"dpo_beta": 0.5, "seed": 3}),
    Wish("few sums", "math_rl", 35, priority=-5, overrides={"groups_per_batch": 8, "seed": 4}),
    Wish("slow base", "sl_basic", 30, priority=-5, overrides={"learning_rate": 1e-3, "seed": 5}),
    Wish("soft pairs", "dpo", 25, priority=-10, after=("firm pairs",), overrides={"seed": 6}),
    Wish("other student", "distillation", 30, priority=-10, overrides={"seed": 7}),
)
"""About 400 seconds of work: two at a time, they are not done within two minutes, and nearly within four."""


@dataclass(frozen=True)
class Hours:
    """When the window is open: two minutes, two minutes after one of pause, and at last until all is done. Seconds
    since the epoch.
    """

    opens: tuple[float, float, float]
    closes: tuple[float, float]

    @classmethod
    def soon(cls) -> Hours:
        """From a full minute on, for the clock of a window has no seconds."""
        first = -(-(time.time() + AHEAD_S) // MINUTE_S) * MINUTE_S
        at = [first + minutes * MINUTE_S for minutes in (0, 2, 3, 5, 6)]
        return cls((at[0], at[2], at[4]), (at[1], at[3]))

    @property
    def pauses(self) -> list[tuple[float, float]]:
        """The times between, at which the window is closed."""
        return [*zip(self.closes, self.opens[1:], strict=True)]

    @property
    def text(self) -> str:
        """As a user writes it, by the clock of UTC."""
        closes = (*self.closes, self.opens[-1] + WHOLE_S)
        pairs = zip(self.opens, closes, strict=True)
        return "; ".join(f"{_clock(opens)}-{_clock(closes)}" for opens, closes in pairs)


@dataclass(frozen=True)
class Evidence:
    """What the store has of a run that is over."""

    run: RunInfo
    attempts: list[AttemptRecord]
    events: list[Event]

    def statuses(self, kind: str) -> list[Event]:
        """Its changes to a status."""
        return [event for event in self.events if event.kind == f"run.{kind}"]


@dataclass(frozen=True)
class ShortNight:
    """A night that is over, by the names of its runs. alone: the `final` hash of each where nobody disturbed it."""

    hours: Hours
    plan: NightPlan
    runs: Mapping[str, Evidence]
    alone: Mapping[str, str]

    @property
    def events(self) -> list[Event]:
        """Of all runs, in order."""
        of_all = (event for evidence in self.runs.values() for event in evidence.events)
        return sorted(of_all, key=lambda event: event.id)

    @property
    def attempts(self) -> list[AttemptRecord]:
        """Of all runs."""
        return [attempt for evidence in self.runs.values() for attempt in evidence.attempts]


def measure_steps(daemon: Daemon) -> dict[str, float]:
    """What a step of each recipe takes here, by a short run of each, which teaches the quotes as well."""
    lessons = [
        daemon.client.launch(Launch(recipe=recipe, overrides=LENGTHY | {"max_steps": 60}))
        for recipe in dict.fromkeys(wish.recipe for wish in WISHES)
    ]
    taken = [daemon.settled(lesson.id).quote for lesson in lessons]
    return {
        lesson.recipe: quote.measured_seconds_a_step
        for lesson, quote in zip(lessons, taken, strict=True)
        if quote is not None and quote.measured_seconds_a_step is not None
    }


def launch_all(
    daemon: Daemon, step_seconds: Mapping[str, float], window: str | None = None
) -> dict[str, str]:
    """Queue every wish; their ids by name."""
    ids: dict[str, str] = {}
    for wish in WISHES:
        steps = {"max_steps": round(wish.seconds / step_seconds[wish.recipe])}
        takes = {setting: f"run:{ids[name]}" for setting, name in wish.takes.items()}
        launch = Launch(
            recipe=wish.recipe,
            name=wish.name,
            overrides={**LENGTHY, **steps, **wish.overrides, **takes},
            priority=wish.priority,
            after=[ids[name] for name in wish.after],
            window=window,
        )
        ids[wish.name] = daemon.client.launch(launch).id
    return ids


def open_window(daemon: Daemon, name: str, hours: Hours) -> None:
    """Let the daemon know of the window."""
    daemon.client.put_window(NewWindow(name=name, hours=hours.text, timezone="UTC"))


def completed(daemon: Daemon, ids: Mapping[str, str]) -> dict[str, Evidence]:
    """What the store has of each run once all of them are over and their workers gone."""
    runs = {name: daemon.settled(run_id, WHOLE_S) for name, run_id in ids.items()}
    with Store.open(daemon.home.root) as store:
        while store.open_attempts():  # nobody is told when the last worker has gone, so ask
            time.sleep(0.1)
        return {
            name: Evidence(run, store.attempts(run.id), store.read_events(run_id=run.id))
            for name, run in runs.items()
        }


def _clock(at: float) -> str:
    return time.strftime("%H:%M", time.gmtime(at))
