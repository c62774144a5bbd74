"""Work that was submitted to a session, and waiting for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

from kitchen_core.train.types import Datum, ForwardResult, OptimResult
from kitchen_core.workflow.context import StageContext


@dataclass(frozen=True)
class Submitted:
    """A forward-backward pass under way.

    datums: what was submitted, with the weights of the loss. at: when (seconds, monotonic).
    """

    handle: Awaitable[ForwardResult]
    datums: list[Datum]
    at: float


@dataclass(frozen=True)
class Update:
    """An optimizer step under way, and its learning rate."""

    handle: Awaitable[OptimResult]
    learning_rate: float


@dataclass(frozen=True)
class StepDone:
    """What a step gave. seconds: from its submission to its end."""

    forward: ForwardResult
    optim: OptimResult
    seconds: float


async def step_done(ctx: StageContext) -> StepDone:
    """Wait for the step under way; reads `submitted` and `update`."""
    submitted: Submitted = ctx.state["submitted"]
    forward, optim = await ctx.wait(both(submitted.handle, ctx.state["update"].handle))
    return StepDone(forward, optim, time.perf_counter() - submitted.at)


async def both(
    first: Awaitable[ForwardResult], second: Awaitable[OptimResult]
) -> tuple[ForwardResult, OptimResult]:
    """Both results. Where the first failed its error is told: the second only failed after it."""
    done = await asyncio.gather(first, second, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    forward, optim = done
    return cast(ForwardResult, forward), cast(OptimResult, optim)
