"""Going through a loop, turn by turn: what is between two turns, what a turn finds, and where it may
be left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from kitchen_core.workflow.checkpoint import save_checkpoint
from kitchen_core.workflow.context import Interrupted, RunContext
from kitchen_core.workflow.graph import AsyncLoopNode, LoopNode
from kitchen_core.workflow.producing import Producing, Walk
from kitchen_core.workflow.stage import Keeping, StageFailed


class Supply(Protocol):
    """Makes what a turn finds in the state."""

    async def turn(self, index: int) -> Mapping[str, Any]:
        """The values by key, each turn's once and in order."""
        ...


class Loop:
    """One pass over the items of a loop, from where its cursor stands."""

    def __init__(self, node: LoopNode | AsyncLoopNode, ctx: RunContext, walk: Walk) -> None:
        self._node = node
        self._ctx = ctx
        self._walk = walk
        self._outside = ctx.state.keys()

    async def run(self) -> None:
        """Turn after turn, until the items end or `until` holds."""
        node, ctx = self._node, self._ctx
        items: Sequence[Any] = ctx.state[node.over]
        first = ctx.cursors.get(node.name, 0)
        async with self._supply(items, first) as supply:
            for index in range(first, len(items)):
                ctx.cursors[node.name] = index
                await self._boundary()
                if node.until and node.until.holds(ctx):
                    self._end_early()
                    break
                began = time.monotonic()
                await self._turn(await self._given(supply, index))
                if node.counts_steps:
                    ctx.progress.turned(time.monotonic() - began)
        if node.counts_steps:
            ctx.cursors[node.name] = len(items)
        else:  # the next time that the loop is come to, it begins anew
            ctx.cursors.pop(node.name, None)

    def _supply(self, items: Sequence[Any], first: int) -> AbstractAsyncContextManager[Supply]:
        if isinstance(self._node, AsyncLoopNode):
            return Producing(self._node, self._ctx, items, self._walk)
        return _Items(self._node, items, first)

    async def _boundary(self) -> None:
        """Between two turns: what the workflow placed there, and leaving when asked."""
        await self._walk(self._ctx, self._node.between)
        self._forget()
        if self._node.counts_steps and self._ctx.stop_asked():
            await self._leave()

    async def _leave(self) -> None:
        """End the run here with everything saved; a cancelled one leaves without."""
        self._ctx.check_interrupted()
        await save_checkpoint(self._ctx)
        raise Interrupted(self._ctx.log.intent())

    async def _given(self, supply: Supply, index: int) -> Mapping[str, Any]:
        try:
            return await supply.turn(index)
        except Interrupted:  # nothing has been done of this turn, so it is still between two
            await self._leave()
            raise

    async def _turn(self, given: Mapping[str, Any]) -> None:
        ctx = self._ctx
        for key, value in given.items():
            ctx.state.put(key, value, Keeping.REBUILT)
        await self._walk(ctx, self._node.body)
        self._forget()
        if self._node.counts_steps:
            ctx.step += 1
            report_progress(ctx, force=ctx.step == ctx.total_steps)

    def _forget(self) -> None:
        self._ctx.state.forget(self._ctx.state.keys() - self._outside)

    def _end_early(self) -> None:
        if self._node.counts_steps:
            self._ctx.total_steps = self._ctx.step
            report_progress(self._ctx, force=True)


def report_progress(ctx: RunContext, *, force: bool = False) -> None:
    """Tell the log how far the run is, where it is time or `force` says so."""
    now = time.monotonic()
    if ctx.total_steps is not None and (ctx.progress.due(now) or force):
        left = ctx.progress.seconds_left(ctx.step, ctx.total_steps, now)
        ctx.log.set_progress(ctx.step, ctx.total_steps, left)


class _Items:
    """The items of a loop from `first` on; a stream's are made in one thread, up to `prefetch` turns
    ahead.
    """

    def __init__(self, node: LoopNode, items: Sequence[Any], first: int) -> None:
        self._node = node
        self._items = items
        self._next = first
        self._ahead: list[asyncio.Future[Any]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=node.name)

    async def __aenter__(self) -> _Items:
        self._read_ahead()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown()

    async def turn(self, index: int) -> Mapping[str, Any]:
        """The item. Raises StageFailed naming the loop where it can't be made."""
        self._read_ahead()
        try:
            return {self._node.item: await self._ahead.pop(0)}
        except Exception as error:
            raise StageFailed(self._node.name, error) from error

    def _read_ahead(self) -> None:
        loop = asyncio.get_running_loop()
        while len(self._ahead) <= self._node.prefetch and self._next < len(self._items):
            read = loop.run_in_executor(self._thread, self._items.__getitem__, self._next)
            self._ahead.append(read)
            self._next += 1
