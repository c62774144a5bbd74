"""Making the products of an async loop, ahead of the turns that they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from kitchen_core.workflow.buffer import Buffer
from kitchen_core.workflow.context import RunContext
from kitchen_core.workflow.graph import AsyncLoopNode, Node, stages_of
from kitchen_core.workflow.stage import Keeping, StageFailed

Walk: TypeAlias = Callable[[RunContext, tuple[Node, ...]], Awaitable[None]]
"""Runs nodes in a context."""


@runtime_checkable
class Closing(Protocol):
    """A value that holds something: a snapshot of the weights."""

    async def close(self) -> None:
        """Give it back."""
        ...


class Producing:
    """Begins products as turns let it, makes one at a time, and hands each out in its turn.

    Nothing that is made depends on when it was made, but in the free mode on the version of the
    weights.
    """

    def __init__(
        self, node: AsyncLoopNode, ctx: RunContext, items: Sequence[Any], walk: Walk
    ) -> None:
        self._node = node
        self._ctx = ctx
        self._items = items
        self._walk = walk
        self._lag = _lag_of(node, ctx)
        self._exact = node.exact.holds(ctx)
        self._begins_again = self._lag == 0 or not self._exact
        self._buffer: Buffer[Any] = ctx.state[node.buffer]
        self._read: dict[int, Any] = {}
        self._open: set[_Production] = set()
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Producing:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave nothing behind: no task, and nothing that a task has taken hold of."""
        await self._buffer.close()
        for production in list(self._open):
            await self._close(production)

    async def turn(self, index: int) -> Mapping[str, Any]:
        """The item and the product of a turn, having begun all that this turn lets begin.

        Raises StageFailed naming the stage of the producer that failed, and Interrupted where the
        product is left because it begins again after a resume.
        """
        for turn in range(index, min(index + self._lag + 1, len(self._items))):
            if turn not in self._buffer:
                await self._begin(turn)
        product = await self._buffer.take(index)
        item = await self._item(index)
        del self._read[index]
        return {self._node.item: item, self._node.product: product}

    async def _begin(self, turn: int) -> None:
        ctx = self._ctx.beside(turn, begins_again=self._begins_again)
        ctx.state.put(self._node.item, await self._item(turn), Keeping.REBUILT)
        production = _Production(self._node, ctx, self._walk)
        self._open.add(production)
        if self._exact:
            await production.begin()
        making = asyncio.create_task(self._make(production), name=f"{self._node.name}-{turn}")
        self._buffer.expect(turn, making, begins_again=self._begins_again)

    async def _make(self, production: _Production) -> Any:
        async with self._one_at_a_time:
            try:
                if not self._exact:
                    await production.begin()
                return await production.finish()
            finally:
                await self._close(production)

    async def _close(self, production: _Production) -> None:
        await production.close()
        self._open.discard(production)

    async def _item(self, turn: int) -> Any:
        """An item, read once and off the event loop, for reading it may take time."""
        if turn not in self._read:
            try:
                self._read[turn] = await asyncio.to_thread(self._items.__getitem__, turn)
            except Exception as error:
                raise StageFailed(self._node.name, error) from error
        return self._read[turn]


class _Production:
    """One product in the making, in a context of its own."""

    def __init__(self, node: AsyncLoopNode, ctx: RunContext, walk: Walk) -> None:
        self._node = node
        self._ctx = ctx
        self._walk = walk
        self._held = {key for placed in stages_of(node.begin) for key in placed.writes}
        ctx.state.forget(self._held)  # what is found there later is this one's own

    async def begin(self) -> None:
        """Take hold of what the product is made from."""
        await self._walk(self._ctx, self._node.begin)

    async def finish(self) -> Any:
        """Make it."""
        await self._walk(self._ctx, self._node.producer)
        return self._ctx.state[self._node.product]

    async def close(self) -> None:
        """Give back what was taken hold of. May be called twice."""
        state = self._ctx.state
        held = [state[key] for key in sorted(self._held & state.keys())]
        state.forget(self._held)
        for value in held:
            if isinstance(value, Closing):
                await value.close()


def _lag_of(node: AsyncLoopNode, ctx: RunContext) -> int:
    lag = node.lag.of(ctx)
    if lag < 0:
        error = ValueError(f"{node.lag.label} is {lag}, expected 0 or more")
        raise StageFailed(node.name, error)
    return lag
