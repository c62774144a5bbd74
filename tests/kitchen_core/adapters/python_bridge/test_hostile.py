"""Hostile answers: none holds the verifier up past its limit, takes more memory than it may, or leaves a
process behind.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Sequence

import psutil
import pytest

from kitchen_core.adapters.python_bridge.bridge import ProcessBridge
from kitchen_core.adapters.python_bridge.functions import wired
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.stages.grading import VERIFY, BridgeGrader
from kitchen_core.train.grading import UnreadableGold
from kitchen_core.train.ports.errors import InvalidRequest, PortError
from tests.kitchen_core.adapters.python_bridge.hostile import hostile_answers
from tests.kitchen_core.adapters.python_bridge.support import all_gone, workers

WORKERS = 2
MEMORY_MB = 512
READY_MB = 150  # what a process has when it is ready, generously
SLACK_S = 3.0  # for a busy machine


async def timed(call: Awaitable[object]) -> tuple[str, float]:
    """How a call ended, and after how long."""
    began = time.monotonic()
    try:
        found = str(await call)
    except PortError as error:
        found = type(error).__name__
    return found, time.monotonic() - began


class Trial:
    """Hostile answers through a bridge, as many at once as it has processes."""

    def __init__(self, timeout_s: float) -> None:
        limits = Limits(WORKERS, timeout_s, MEMORY_MB)
        self.bridge = ProcessBridge(wired(["math_verify", "sympy", "pylatexenc"], {}), limits)
        self.seen: dict[int, psutil.Process] = {}
        self.peak_mb = 0.0
        self._free = asyncio.Semaphore(WORKERS)

    async def run(self, calls: Sequence[tuple[str, ...]]) -> list[tuple[str, float]]:
        await self.bridge.call(VERIFY, "1", "2")
        return await asyncio.gather(*(self._one(call) for call in calls))

    async def _one(self, call: tuple[str, ...]) -> tuple[str, float]:
        async with self._free:
            ended = await timed(self.bridge.call(*call))
            for process in workers():
                self.seen[process.pid] = process
                try:
                    self.peak_mb = max(self.peak_mb, process.memory_info().rss / (1 << 20))
                except psutil.NoSuchProcess:
                    continue
            return ended


async def survive(count: int, seed: int, timeout_s: float) -> dict[str, object]:
    answers = hostile_answers(count, seed)
    calls: list[tuple[str, ...]] = [(VERIFY, gold, answer) for _, gold, answer in answers]
    calls += [("sympy.equal", gold, answer) for _, gold, answer in answers[::8]]
    calls += [("pylatexenc.to_text", answer) for _, _, answer in answers[::8]]
    trial = Trial(timeout_s)
    began = time.monotonic()
    ended = await trial.run(calls)
    took = time.monotonic() - began
    assert await trial.bridge.call(VERIFY, "1/2", "0.5") == "right"
    assert max(seconds for _, seconds in ended) < timeout_s + SLACK_S
    assert trial.peak_mb < MEMORY_MB + READY_MB
    await trial.bridge.close()
    assert all_gone(list(trial.seen.values()))
    worst = max(range(len(calls)), key=lambda i: ended[i][1])
    return {
        "calls": len(calls),
        "seconds": round(took, 1),
        "ended": Counter(how if len(how) < 20 else "text" for how, _ in ended[:count]),
        "worst": [calls[worst][0], calls[worst][-1][:60], round(ended[worst][1], 2)],
        "peak_mb": round(trial.peak_mb),
        "processes": len(trial.seen),
    }


async def graded(count: int, seed: int, timeout_s: float) -> Counter[str]:
    """What a grader makes of the same answers, against a right answer that can be read."""
    bridge = ProcessBridge(wired(["math_verify"], {}), Limits(WORKERS, timeout_s, MEMORY_MB))
    answers = hostile_answers(count, seed)
    verdicts = await BridgeGrader(bridge).grade([("7", answer) for _, _, answer in answers])
    await bridge.close()
    return Counter(verdicts)


async def test_one_of_every_kind():
    await survive(24, seed=1, timeout_s=0.2)


async def test_a_grader_has_a_verdict_on_each():
    verdicts = await graded(24, seed=2, timeout_s=0.2)
    assert verdicts.total() == 24
    assert verdicts["unparseable"] >= 5  # too long or too deep to be sent at all
    assert set(verdicts) <= {"right", "wrong", "unparseable", "failed"}


@pytest.mark.slow
async def test_five_hundred(capsys):
    report = await survive(500, seed=0, timeout_s=1.0)
    report["graded"] = await graded(500, seed=0, timeout_s=1.0)
    with capsys.disabled():
        print(json.dumps(report, indent=1))


async def test_code_is_refused_and_not_run():
    bridge = ProcessBridge(wired(["sympy"], {}), Limits(1))
    for code in ("__import__('os')", "().__class__", "(1).real", "x.diff", "exec(1)", "[1]", "'a'"):
        with pytest.raises(InvalidRequest, match="is no expression"):
            await bridge.call("sympy.equal", code, "1")
    assert await bridge.call("sympy.equal", "(x+1)**2", "x^2 + 2x + 1") is True
    await bridge.close()


async def test_a_right_answer_that_can_not_be_read_is_an_error():
    bridge = ProcessBridge(wired(["math_verify"], {}), Limits(1))
    with pytest.raises(UnreadableGold, match="the right answer '' can't be read"):
        await BridgeGrader(bridge).grade([("", "7")])
    await bridge.close()
