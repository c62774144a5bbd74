"""Trainers, or stores, in turns: each a process that stays warm, a few steps at a time, and how their speeds compare.

A machine that is busy with other things is busy for everyone in a round, so the ratio of two speeds of
one round says more than either speed. What is reported is the median over the rounds of that
ratio, with the interval that holds the median in 95 of 100 cases (by order statistics: no assumption
about its distribution). The ratio of the CPU time that a token takes is reported beside it: it
leaves out what a trainer waits for, and hardly feels what else the machine does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from math import comb
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

from benchmarks.contestants.jobs import Task

ROOT = Path(__file__).parents[1]

Unit = Literal["tokens", "items"]
"""What a speed counts: predicted or sampled tokens; or pairs, completions or rows."""


class Turn(NamedTuple):
    """What a contestant did at a request.

    seconds: by the clock on the wall. cpu_seconds: of all its threads together. peak_bytes: the most
    memory it has held so far. flops: its arithmetic, items: pairs or completions; 0 where it does not
    count them.
    """

    tokens: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    flops: float = 0.0
    items: int = 0

    @property
    def tokens_per_s(self) -> float:
        """Tokens in a second."""
        return self.tokens / self.seconds

    @property
    def items_per_s(self) -> float:
        """Pairs or completions in a second."""
        return self.items / self.seconds

    def count(self, unit: Unit) -> int:
        """How many of these it did."""
        return self.tokens if unit == "tokens" else self.items


class Interval(NamedTuple):
    """A median, and what it lies between in 95 of 100 cases."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


class Contestant:
    """A process that trains when it is asked to. Command: an interpreter and a module of `contestants`."""

    def __init__(self, command: Sequence[str], job_file: Path, threads: int) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        python, module, *options = command
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.contestants.{module}", str(job_file), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": str(threads),
                "OMP_WAIT_POLICY": "PASSIVE",
                "HF_HUB_OFFLINE": "1",
            },
        )

    def take(self, steps: int) -> Turn:
        """Have it take so many steps. Raises RuntimeError with what it said last where it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # where it died, its last words follow
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._errors.seek(0)
            raise RuntimeError(f"{self._process.args}: {self._errors.read()[-2000:]}")
        return Turn(**json.loads(answer))

    def __enter__(self) -> Contestant:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def race(
    job: Task, commands: Mapping[str, Sequence[str]], *, rounds: int, steps: int, warm_up: int
) -> dict[str, list[Turn]]:
    """Every contestant's turns, one a round; who begins changes from round to round."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        job_file = Path(folder) / "job.json"
        job.write(job_file)
        contestants = {
            name: stack.enter_context(Contestant(command, job_file, job.threads))
            for name, command in commands.items()
        }
        for contestant in contestants.values():
            contestant.take(warm_up)
        names = list(commands)
        turns: dict[str, list[Turn]] = {name: [] for name in names}
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                turns[name].append(contestants[name].take(steps))
        return turns


def speed_ratio(ours: Sequence[Turn], theirs: Sequence[Turn], unit: Unit = "tokens") -> Interval:
    """What we do in a second over what they do, round by round."""
    pairs = zip(ours, theirs, strict=True)
    return median_interval(
        [us.count(unit) / us.seconds / (them.count(unit) / them.seconds) for us, them in pairs]
    )


def cpu_ratio(ours: Sequence[Turn], theirs: Sequence[Turn], unit: Unit = "tokens") -> Interval:
    """What we do in a second of CPU time over what they do, round by round."""
    pairs = zip(ours, theirs, strict=True)
    return median_interval(
        [
            us.count(unit) / us.cpu_seconds / (them.count(unit) / them.cpu_seconds)
            for us, them in pairs
        ]
    )


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median and its distribution-free interval: from the k-th smallest to the k-th largest value.

    k is the largest for which both tails of a fair coin's n throws, P(X < k), hold no more than
    1 - confidence. Under six values that is no k at all, and the interval is all that was seen.
    """
    ordered, n = sorted(values), len(values)
    tail = (1 - confidence) / 2
    k = max(
        (k for k in range(1, n // 2 + 1) if sum(comb(n, i) for i in range(k)) / 2**n <= tail),
        default=1,
    )
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k])
