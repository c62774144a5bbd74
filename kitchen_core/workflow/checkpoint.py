"""Checkpoints: everything that a run needs to go on in another process as if it had not stopped.

A checkpoint is a tree: `session/` (weights and optimizer, written by the adapter) and `state.json`
(steps done, loop cursors, durable keys, the content hashes of rebuilt ones, and the versions of
what is installed). Random streams are functions of seed, name and step, so there is no generator
state to keep; metrics and events are found by the step.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.ports.errors import PortError
from kitchen_core.workflow.context import RunContext
from kitchen_core.workflow.software import changes_since, installed_software
from kitchen_core.workflow.stage import Stage
from kitchen_core.workflow.state import RunState, content_hash

STATE_FILE = "state.json"
CHECKPOINTS = "checkpoints/"


class ResumeError(RuntimeError):
    """The run can't go on from its checkpoint; the message says why."""


@runtime_checkable
class Stateful(Protocol):
    """A state value that has more to it than JSON: it writes itself into a folder of the
    checkpoint.
    """

    async def save_state(self, folder: Path) -> None:
        """Write everything into an empty folder."""
        ...

    async def load_state(self, folder: Path) -> None:
        """Put back what was written. Raises PortError or ValueError where that can't be done."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """What `state.json` holds. step: optimizer steps done. cursors: the next item of each loop.

    software: the versions that were installed.
    """

    step: int
    cursors: Mapping[str, int]
    durable: Mapping[str, Any]
    rebuilt: Mapping[str, str]
    stateful: tuple[str, ...]
    software: Mapping[str, str] = field(default_factory=dict)


async def save_checkpoint(ctx: RunContext) -> None:
    """Write and store a checkpoint of the run as it stands between two turns, unless that has
    been done at this step.
    """
    if ctx.checkpoint_step == ctx.step:
        return
    folder = ctx.scratch / f"checkpoint-{ctx.step}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stateful = {k: v for k, v in ctx.state.rebuilt().items() if isinstance(v, Stateful)}
    for key, value in stateful.items():
        (folder / key).mkdir()
        await value.save_state(folder / key)
    checkpoint = Checkpoint(
        step=ctx.step,
        cursors=dict(ctx.cursors),
        durable=ctx.state.durable(),
        rebuilt=rebuilt_hashes(ctx.state),
        stateful=tuple(stateful),
        software=installed_software(),
    )
    (folder / STATE_FILE).write_text(json.dumps(asdict(checkpoint), sort_keys=True))
    ctx.telemetry.flush()
    name = f"{CHECKPOINTS}{ctx.step:06d}"
    record = ctx.log.store_tree(folder, name, step=ctx.step, made=False)
    ctx.log.save_checkpoint(record, ctx.step, {"size_bytes": record.size_bytes})
    ctx.log.keep_newest(CHECKPOINTS, ctx.config.keep_checkpoints)
    ctx.checkpoint_step = ctx.step


def read_checkpoint(folder: Path) -> Checkpoint:
    """What a checkpoint tree holds beside its sessions. Raises ResumeError where it is not one."""
    try:
        return Checkpoint(**json.loads((folder / STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ResumeError(
            f"the checkpoint in {folder} can't be read ({error}): it is damaged, or of another "
            "version of Crucible Kitchen; go on with that version, or begin anew with `kitchen retry`"
        ) from None


def rebuilt_hashes(state: RunState) -> dict[str, str]:
    """The content hash of every rebuilt key."""
    return {key: content_hash(key, value) for key, value in state.rebuilt().items()}


def check_rebuilt(
    checkpoint: Checkpoint, state: RunState, makers: Mapping[str, Stage], run_id: str
) -> None:
    """Raise ResumeError where a rebuilt key came out different from when the checkpoint was
    taken, naming the first one, for those after it are made from it. makers: the stage of each key.
    """
    for key, value in state.rebuilt().items():
        then = checkpoint.rebuilt.get(key)
        if then is not None and then != content_hash(key, value):
            raise ResumeError(
                f"'{key}' ({_origin(makers[key])}) came out different from when the checkpoint at "
                f"step {checkpoint.step} was saved{_cause(checkpoint, makers[key])}; put that back and "
                f"go on with: kitchen resume {run_id}, or begin anew with: kitchen retry {run_id}"
            )


def _origin(maker: Stage) -> str:
    return f"made by {maker.name} from {', '.join([*maker.reads, 'the config'])}"


def _cause(checkpoint: Checkpoint, maker: Stage) -> str:
    """Config, recipe and the keys before this one are as they were, so what is left is outside."""
    changes = changes_since(checkpoint.software)
    if changes:
        return ": " + ", ".join(changes)
    return f": the code of {maker.name}, or something that it reads, has changed"


async def restore(
    ctx: RunContext, checkpoint: Checkpoint, folder: Path, makers: Mapping[str, Stage]
) -> None:
    """Put the run where the checkpoint was taken, once its rebuilt keys have been made again.

    Raises ResumeError where something has changed too much for that.
    """
    check_rebuilt(checkpoint, ctx.state, makers, ctx.run_id)
    for key in checkpoint.stateful:
        await _load(ctx, key, folder)
    for change in changes_since(checkpoint.software):
        message = f"{change} at the checkpoint: the last digits may differ from here on"
        ctx.telemetry.event(EventKind.LOG, step=checkpoint.step, level="warning", message=message)
    ctx.step = checkpoint.step
    ctx.cursors = dict(checkpoint.cursors)
    ctx.checkpoint_step = checkpoint.step


async def _load(ctx: RunContext, key: str, folder: Path) -> None:
    try:
        await ctx.state[key].load_state(folder / key)
    except (PortError, ValueError) as error:
        it_may_work_later = isinstance(error, PortError) and error.retryable
        remedy = (
            "try again later with: kitchen resume"
            if it_may_work_later
            else "begin anew with: kitchen retry"
        )
        raise ResumeError(
            f"the '{key}' of the checkpoint can't be taken up: {error}; {remedy} {ctx.run_id}"
        ) from error
