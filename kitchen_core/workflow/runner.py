"""Runs a workflow: walks the tree, and resumes it from a checkpoint.

On a resume the stages before the step loop that write rebuilt keys run again, the others are
skipped; at the loop, weights, step and cursors are put back and the next turn is the one that the
checkpoint was taken before.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kitchen_core.telemetry.ports import StaleAttempt
from kitchen_core.workflow.checking import check
from kitchen_core.workflow.checkpoint import Checkpoint, ResumeError, read_checkpoint, restore
from kitchen_core.workflow.context import Interrupted, RunContext, StageContext
from kitchen_core.workflow.graph import (
    AsyncLoopNode,
    LoopNode,
    Node,
    ParallelNode,
    StageNode,
    WhenNode,
    Workflow,
    stages_of,
)
from kitchen_core.workflow.loops import Loop, report_progress
from kitchen_core.workflow.stage import Keeping, Stage, StageFailed
from kitchen_core.workflow.state import RunState

logger = logging.getLogger(__name__)


@dataclass
class _Resume:
    """The checkpoint that is being resumed from, until the step loop has taken it."""

    checkpoint: Checkpoint
    folder: Path


class Runner:
    """Executes one workflow in one context."""

    def __init__(self, workflow: Workflow, ctx: RunContext) -> None:
        check(workflow)
        self._workflow = workflow
        self._ctx = ctx
        self._done: list[tuple[Stage, StageContext]] = []
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
            await self._body(self._ctx, self._workflow.body, hot=False)
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

    async def _body(self, ctx: RunContext, nodes: tuple[Node, ...], *, hot: bool) -> None:
        for node in nodes:
            match node:
                case StageNode(stage=stage):
                    await self._stage(ctx, stage, hot=hot)
                case LoopNode() | AsyncLoopNode():
                    await self._loop(ctx, node)
                case WhenNode(predicate=predicate, body=body):
                    if predicate.holds(ctx):
                        await self._body(ctx, body, hot=hot)
                case ParallelNode():
                    await self._parallel(ctx, node, hot=hot)

    async def _stage(self, ctx: RunContext, stage: Stage, *, hot: bool) -> None:
        if self._resume and Keeping.REBUILT not in stage.writes.values():
            return
        ctx.check_interrupted()
        view = StageContext(ctx, stage)
        try:
            with ctx.telemetry.stage(stage.name, ctx.step, hot=hot):
                await stage.run(view)
                view.state.check_written()
        except (StaleAttempt, ResumeError, StageFailed):
            raise
        except Exception as error:
            self._done.append((stage, view))
            raise StageFailed(stage.name, error) from error
        if not hot:
            self._done.append((stage, view))

    async def _loop(self, ctx: RunContext, node: LoopNode | AsyncLoopNode) -> None:
        if node.counts_steps:
            await self._begin_steps(ctx, len(ctx.state[node.over]))
        await Loop(node, ctx, partial(self._body, hot=True)).run()

    async def _begin_steps(self, ctx: RunContext, total: int) -> None:
        ctx.total_steps = total
        if self._resume:
            await restore(ctx, self._resume.checkpoint, self._resume.folder, self._makers())
            self._resume = None
        ctx.progress.begin(ctx.step)
        report_progress(ctx, force=True)

    def _makers(self) -> dict[str, Stage]:
        """The stage that writes each key."""
        return {key: stage for stage in stages_of(self._workflow.body) for key in stage.writes}

    async def _parallel(self, ctx: RunContext, node: ParallelNode, *, hot: bool) -> None:
        slots = asyncio.Semaphore(node.max_concurrency)

        async def branch(nodes: tuple[Node, ...]) -> None:
            async with slots:
                await self._body(ctx, nodes, hot=hot)

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
        for stage, view in reversed(self._done):
            try:
                await stage.rollback(view, error)
            except Exception:  # a failing rollback must not hide why the run failed
                logger.exception("rollback of stage %s failed", stage.name)
