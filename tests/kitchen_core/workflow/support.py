"""Small stages to build workflows of, and a run context on a real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kitchen_core.config import RunConfig, setting
from kitchen_core.store import RunWriter
from kitchen_core.telemetry.emitter import Telemetry
from kitchen_core.workflow.context import RunContext, StageContext
from kitchen_core.workflow.graph import Node, Workflow
from kitchen_core.workflow.stage import Keeping, Stage


class Config(RunConfig):
    """With a cadence to play with."""

    look_every: int = setting(0, "Look every so many steps")


def make_stage(
    name: str,
    work: Callable[[StageContext], Any] = lambda ctx: None,
    *,
    reads: tuple[str, ...] = (),
    writes: dict[str, Keeping] | None = None,
    undo: Callable[[], None] = lambda: None,
) -> Stage:
    """A stage of its own class; `work` may be async."""

    async def run(self: Stage, ctx: StageContext) -> None:
        result = work(ctx)
        if hasattr(result, "__await__"):
            await result

    async def rollback(self: Stage, ctx: StageContext, error: BaseException) -> None:
        undo()

    members = {
        "name": name,
        "reads": reads,
        "writes": MappingProxyType(writes or {}),
        "run": run,
        "rollback": rollback,
    }
    return type(name, (Stage,), members)()


def putting(key: str, value: Any, keeping: Keeping = Keeping.REBUILT) -> Stage:
    """A stage that writes one key."""

    def work(ctx: StageContext) -> None:
        ctx.state[key] = value

    return make_stage(f"Put{key.title()}", work, writes={key: keeping})


def workflow(*body: Node) -> Workflow:
    return Workflow("test", "A workflow of a test.", Config, body)


def context(writer: RunWriter, home: Path, config: RunConfig | None = None) -> RunContext:
    """A context without ports; the log, the telemetry and the artifacts are real."""
    return RunContext(
        config=config or Config(),
        log=writer,
        telemetry=Telemetry(writer),
        connector=None,  # type: ignore[arg-type]  # the stages of these tests ask no port
        resolver=None,  # type: ignore[arg-type]
        registry=None,  # type: ignore[arg-type]
        scratch=home / f"scratch-{writer.attempt}",
        cache=home / "cache",
    )
