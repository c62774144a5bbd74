"""Where the time of a step goes: `python -m benchmarks.profile [--steps 20]`.

CPU time on one thread of the two kinds of step that are raced against TRL, on the embedded model: a
reinforcement step of `benchmarks.reinforcement` (`tiny`) and a DPO step of `benchmarks.preference`. Each
part's time is its own, what it calls into the other parts left out; what is in none of them is
Python around them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import preference, reinforcement
from benchmarks.contestants import kitchen_dpo, kitchen_rl
from benchmarks.contestants.kitchen import start
from kitchen_core.adapters.torch_local import decoding
from kitchen_core.adapters.torch_local.llama import Llama, _LlamaRows
from kitchen_core.adapters.torch_local.optimizer import Optimizer
from kitchen_core.adapters.torch_local.parts import Parts
from kitchen_core.adapters.torch_local.sampler import TorchSampler
from kitchen_core.adapters.torch_local.session import TorchSession

PARTS: tuple[tuple[object, str, str], ...] = (
    (TorchSampler, "sample", "sampling: Python"),
    (Llama, "start", "sampling: prompts"),
    (_LlamaRows, "advance", "sampling: a token a row"),
    (decoding, "choose", "sampling: choice"),
    (TorchSession, "forward_backward", "training: Python"),
    (TorchSession, "forward_backward_custom", "training: Python"),
    (Parts, "hidden", "training: forward, body"),
    (Parts, "logits", "training: forward, head"),
    (torch.Tensor, "backward", "training: backward"),
    (Optimizer, "step", "optimizer"),
)
"""Owners and names of what is timed, and the part that its time goes to."""

REST = "rendering, rewards, datums"

Step = Callable[[int], Awaitable[object]]


class Clock:
    """CPU time by part. A part's time stops while another runs inside it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._running = [REST]
        self._since = time.process_time()

    def lap(self) -> None:
        """Give what has passed to the part that runs."""
        now = time.process_time()
        self.spent[self._running[-1]] += now - self._since
        self._since = now

    @contextmanager
    def inside(self, part: str) -> Iterator[None]:
        """Time goes to this part."""
        self.lap()
        self._running.append(part)
        try:
            yield
        finally:
            self.lap()
            self._running.reverse()
            self._running.remove(part)  # the last: another thread's part may have begun since
            self._running.reverse()


@contextmanager
def timed(clock: Clock) -> Iterator[None]:
    """All of `PARTS` go by the clock."""
    with ExitStack() as stack:
        for owner, name, part in PARTS:
            stack.enter_context(
                patch.object(owner, name, _timed(getattr(owner, name), clock, part))
            )
        yield


def _timed(function: Callable[..., Any], clock: Clock, part: str) -> Callable[..., Any]:
    """A session's calls only hand their work over: their time is that of awaiting them."""

    @wraps(function)
    def timed_function(*args: Any, **named: Any) -> Any:
        with clock.inside(part):
            found = function(*args, **named)
        return _awaited(found, clock, part) if hasattr(found, "__await__") else found

    return timed_function


async def _awaited(handle: Awaitable[Any], clock: Clock, part: str) -> Any:
    with clock.inside(part):
        return await handle


async def reinforcement_steps() -> Step:
    """Steps of `benchmarks.reinforcement`."""
    job = reinforcement.tiny_job(ends=True)
    session = await start(job, sampling_batch_size=job.prompts_a_step * job.group)
    batches = job.batches()
    return lambda step: kitchen_rl.take_step(session, job, batches[step % len(batches)], step)


async def preference_steps() -> Step:
    """Steps of `benchmarks.preference`."""
    job = preference.tiny_job()
    session = await start(job)
    batches = [await kitchen_dpo.compared(session, pairs) for pairs in job.batches()[:20]]
    return lambda step: kitchen_dpo.take_step(session, job, batches[step % len(batches)])


async def measure(step: Step, steps: int) -> dict[str, float]:
    """Seconds a step by part."""
    for warm_up in range(3):
        await step(warm_up)
    clock = Clock()
    with timed(clock):
        for index in range(steps):
            await step(index)
        clock.lap()
    return {part: spent / steps for part, spent in clock.spent.items()}


def table(title: str, spent: dict[str, float]) -> Table:
    """Milliseconds and shares."""
    whole = sum(spent.values())
    shown = Table("", "ms", "share", title=f"{title}: {whole * 1e3:.1f} ms", box=box.SIMPLE)
    for part, seconds in sorted(spent.items()):
        shown.add_row(part, f"{seconds * 1e3:.2f}", f"{seconds / whole:.1%}")
    return shown


async def run(steps: int) -> None:
    """Measure both kinds of step and print their tables."""
    for title, started in (("RL step", reinforcement_steps), ("DPO step", preference_steps)):
        Console().print(table(title, await measure(await started(), steps)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    asyncio.run(run(parser.parse_args().steps))


if __name__ == "__main__":
    main()
