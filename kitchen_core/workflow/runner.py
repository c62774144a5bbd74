"""Runs a workflow: walks the tree, turn by turn, and resumes it from a checkpoint.

On a resume the stages before the step loop that write rebuilt keys run again, the others are
skipped; at the loop, weights, step and cursors are put back and the next turn is the one that the
checkpoint was taken before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitchen_core.telemetry.ports import StaleAttempt
from kitchen_core.workflow.checkpoint import (
    Checkpoint,
    ResumeError,
    read_checkpoint,
    restore,
    save_checkpoint,
)
from kitchen_core.workflow.context import Interrupted, RunContext, StageContext
from kitchen_core.workflow.graph import (
    LoopNode,
    Node,
    ParallelNode,
    StageNode,
    WhenNode,
    Workflow,
    check,
    stages_of,
)
from kitchen_core.workflow.stage import Keeping, Stage
from kitchen_core.workflow.state import RunState

logger = logging.getLogger(__name__)


@dataclass
class _Resume:
    """The checkpoint that is being resumed from, until the step loop has taken it."""

    checkpoint: Checkpoint
    folder: Path


class StageFailed(Exception):  # noqa: N818 - carries the cause
    """A stage raised, and what has to be was rolled back; `stage` is its name, the cause is chained."""

    def __init__(self, stage: str, error: Exception) -> None:
        super().__init__(f"stage {stage}: {error}")
        self.stage = stage
        self.error = error


class Runner:
    """Executes one workflow in one context."""

    def __init__(self, workflow: Workflow, ctx: RunContext) -> None:
        check(workflow)
        self._workflow = workflow
        self._ctx = ctx
        self._done: list[Stage] = []
        self._resume: _Resume | None = None

    async def run(self, checkpoint: Path | None = None) -> None:
        """Run to the end, from a checkpoint's folder where one is given.

        Raises StageFailed after rolling back the failed stage and those before it outside of loops,
        Interrupted at a boundary, ResumeError.
        """
        if checkpoint is not None:
            self._resume = _Resume(read_checkpoint(checkpoint), checkpoint)
            self._ctx.state = RunState(self._resume.checkpoint.durable)
        self._validate()
        try:
            await self._body(self._workflow.body, hot=False)
        except StageFailed as failure:
            await self._roll_back(failure.error)
            self._close_telemetry()
            raise
        except Interrupted:
            self._close_telemetry()
            raise
        self._ctx.telemetry.close()

    def _close_telemetry(self) -> None:
        """Write what is left; that it can't be written must not hide why the run ended."""
        try:
            self._ctx.telemetry.close()
        except Exception:
            logger.exception("the last telemetry was not written")

    def _validate(self) -> None:
        for stage in stages_of(self._workflow.body):
            try:
                stage.validate(StageContext(self._ctx, stage))
            except ValueError as error:
                raise StageFailed(stage.name, error) from error

    async def _body(self, nodes: tuple[Node, ...], *, hot: bool) -> None:
        for node in nodes:
            match node:
                case StageNode(stage=stage):
                    await self._stage(stage, hot=hot)
                case LoopNode():
                    await self._loop(node)
                case WhenNode(predicate=predicate, body=body):
                    if predicate.holds(self._ctx):
                        await self._body(body, hot=hot)
                case ParallelNode():
                    await self._parallel(node, hot=hot)

    async def _stage(self, stage: Stage, *, hot: bool) -> None:
        if self._resume and Keeping.REBUILT not in stage.writes.values():
            return
        ctx = self._ctx
        ctx.check_interrupted()
        view = StageContext(ctx, stage)
        try:
            with ctx.telemetry.stage(stage.name, ctx.step, hot=hot):
                await stage.run(view)
                view.state.check_written()
        except (StaleAttempt, ResumeError, StageFailed):
            raise
        except Exception as error:
            self._done.append(stage)
            raise StageFailed(stage.name, error) from error
        if not hot:
            self._done.append(stage)

    async def _loop(self, node: LoopNode) -> None:
        ctx = self._ctx
        items: Sequence[Any] = ctx.state[node.over]
        if node.counts_steps:
            await self._begin_steps(len(items))
        first = ctx.cursors.get(node.name, 0)
        outside = ctx.state.keys()
        async with aclosing(_items(node, items, first)) as turns:
            async for index, item in turns:
                ctx.cursors[node.name] = index
                await self._boundary(node, outside)
                if node.until and node.until.holds(ctx):
                    self._end_early(node)
                    break
                ctx.state.put(node.item, item, Keeping.REBUILT)
                await self._turn(node, outside)
        if node.counts_steps:
            ctx.cursors[node.name] = len(items)
        else:  # the next time that the loop is come to, it begins anew
            ctx.cursors.pop(node.name, None)

    async def _boundary(self, node: LoopNode, outside: set[str]) -> None:
        """Between two turns: what the workflow placed there, and leaving when asked, with
        everything saved.
        """
        await self._body(node.between, hot=True)
        self._ctx.state.forget(self._ctx.state.keys() - outside)
        if node.counts_steps and self._ctx.stop_asked():
            self._ctx.check_interrupted()  # a cancelled run leaves without saving
            await save_checkpoint(self._ctx)
            raise Interrupted(self._ctx.log.intent())

    def _end_early(self, node: LoopNode) -> None:
        if node.counts_steps:
            self._ctx.total_steps = self._ctx.step
            self._report_progress(force=True)

    async def _begin_steps(self, total: int) -> None:
        ctx = self._ctx
        ctx.total_steps = total
        if self._resume:
            await restore(ctx, self._resume.checkpoint, self._resume.folder)
            self._resume = None
        ctx.progress.begin(ctx.step)
        self._report_progress(force=True)

    async def _turn(self, node: LoopNode, outside: set[str]) -> None:
        ctx = self._ctx
        await self._body(node.body, hot=True)
        ctx.state.forget(ctx.state.keys() - outside)
        if node.counts_steps:
            ctx.step += 1
            self._report_progress(force=ctx.step == ctx.total_steps)

    def _report_progress(self, *, force: bool = False) -> None:
        ctx = self._ctx
        now = time.monotonic()
        if ctx.total_steps is not None and (ctx.progress.due(now) or force):
            left = ctx.progress.seconds_left(ctx.step, ctx.total_steps, now)
            ctx.log.set_progress(ctx.step, ctx.total_steps, left)

    async def _parallel(self, node: ParallelNode, *, hot: bool) -> None:
        slots = asyncio.Semaphore(node.max_concurrency)

        async def branch(nodes: tuple[Node, ...]) -> None:
            async with slots:
                await self._body(nodes, hot=hot)

        tasks = [asyncio.ensure_future(branch(nodes)) for nodes in node.branches]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _roll_back(self, error: Exception) -> None:
        """Let the failed stage and those before it undo what they did outside, newest first.

        Of the stages in a loop only the one that failed: turns that are over stay as they are.
        """
        for stage in reversed(self._done):
            try:
                await stage.rollback(StageContext(self._ctx, stage), error)
            except Exception:  # a failing rollback must not hide why the run failed
                logger.exception("rollback of stage %s failed", stage.name)


async def _items(
    node: LoopNode, items: Sequence[Any], first: int
) -> AsyncGenerator[tuple[int, Any], None]:
    """The items of a loop from `first` on; a stream's are made in one thread, up to `prefetch` turns
    ahead. Raises StageFailed naming the loop where an item can't be made.
    """
    loop = asyncio.get_running_loop()
    ahead: list[asyncio.Future[Any]] = []
    with ThreadPoolExecutor(1, thread_name_prefix=node.name) as thread:
        for index in range(first, len(items)):
            while len(ahead) <= node.prefetch and index + len(ahead) < len(items):
                ahead.append(loop.run_in_executor(thread, items.__getitem__, index + len(ahead)))
            try:
                item = await ahead.pop(0)
            except Exception as error:
                raise StageFailed(node.name, error) from error
            yield index, item
