"""Whole nights: what the plan said beforehand is what happened, stretch by stretch."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from kitchen_daemon.models import NightPlan, PlannedStretch, WaitCode
from tests.kitchen_daemon.queueing.kitchens import Kitchen, live_through
from tests.kitchen_daemon.queueing.queues import a_gpu, berlin, cpu, gpu, machine

NEEDS = (
    cpu(1),
    cpu(2, 6),
    cpu(4, 20),
    gpu(20),
    gpu(60),
    gpu(18, gpus=2),
    gpu(8, shares=True),
    gpu(11, shares=True),
)
HOUR = 3600.0
THERE = machine(a_gpu(0, 24), a_gpu(1, 80, (812, 6.0)), slots=6)


def submit_a_night(kitchen: Kitchen, random: Random) -> None:
    """Thirty-eight runs and two that schedules make, in two windows and three priorities."""
    kitchen.window("early", "21:30-02:40")
    kitchen.window("late", "23:00-01:00; 04:00-07:30")
    names: list[str] = []
    for number in range(38):
        name = f"r{number:02}"
        parent = random.choice(names) if names and random.random() < 0.3 else None
        how = random.choice(("after", "after", "after_any"))
        kitchen.submit(
            name,
            random.choice(NEEDS),
            round(600 + 211.37 * number % 5400, 2),  # nothing ends as something else begins
            priority=random.choice((-1, 0, 1)),
            window=random.choice((None, "early", "late")),
            at=random.choice((None, None, None, "21:05", "23:47", "03:33")),
            preempt=random.random() < 0.3,
            group=random.choice(("main", "main", "sweep")),
            **({how: [parent]} if parent else {}),
        )
        names.append(name)
    kitchen.dispatcher.asking.limit_group("sweep", 2)
    kitchen.schedule("in the gap", "nightly 02:30", gpu(20), 1234.0, priority=1, preempt=True)
    kitchen.schedule("before", "nightly 23:15", cpu(6), 2345.0, window="early", preempt=True)


def told(nights: Iterable[tuple[str, Iterable[PlannedStretch]]], since: float) -> list[str]:
    """Every stretch that is not over at a moment, as a line; in seconds since then."""
    return sorted(
        f"{name}: {stretch.starts_at - since:.2f} to {ends_at - since:.2f}, {stretch.ends}, "
        f"on {stretch.device}"
        for name, stretches in nights
        for stretch in stretches
        if (ends_at := stretch.ends_at or math.inf) > since
    )


def planned(plan: NightPlan) -> list[str]:
    return told(((run.name, run.stretches) for run in plan.runs), plan.made_at)


def reasons(plan: NightPlan) -> dict[str, WaitCode]:
    """Why those wait that do at the end."""
    return {run.name: run.code for run in plan.runs if run.code is not None}


NIGHTS = {
    "the clocks go forward at 2": (berlin(2027, 3, 27, 20), 1),
    "the clocks go back at 3": (berlin(2027, 10, 30, 20), 3),
}


@pytest.mark.parametrize(("begins_at", "seed"), NIGHTS.values(), ids=NIGHTS)
def test_what_the_plan_of_a_night_says_is_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins_at: float, seed: int
) -> None:
    """The schedule of half past two fires an hour later where that time is left out, and once where it comes twice:
    six hours and a half after eight in the evening both times.
    """

    async def story(kitchen: Kitchen) -> None:
        submit_a_night(kitchen, Random(seed))
        until = begins_at + 22 * HOUR
        plan = await kitchen.plan(until)
        await asyncio.sleep(7.25 * HOUR)
        again = await kitchen.plan(until)
        await asyncio.sleep(until - time.time())

        happened = kitchen.happened()
        assert told(happened.items(), begins_at) == planned(plan)
        assert told(happened.items(), again.made_at) == planned(again)
        assert kitchen.codes() == reasons(plan) == reasons(again)

        endings = {each.ends for stretches in happened.values() for each in stretches}
        assert {"done", "window", "preempted"} <= endings
        assert len(plan.runs) == len(happened) == 40
        assert happened["in the gap"][0].starts_at == pytest.approx(begins_at + 6.5 * HOUR)

    live_through(tmp_path / "home", monkeypatch, begins_at, THERE, story)
