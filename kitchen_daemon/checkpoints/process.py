"""The process that asks a service about checkpoints.

python -m kitchen_daemon.checkpoints.process      (started by the daemon)
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import asdict
from pathlib import Path

from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.train.ports.checkpoints import Checkpoints
from kitchen_core.train.ports.errors import PortError
from kitchen_daemon.apart import take_task
from kitchen_daemon.checkpoints.asking import CheckpointAnswer, CheckpointTask
from kitchen_daemon.models import CheckpointChange, CheckpointInfo, Problem
from kitchen_daemon.secrets import read_secrets


def main() -> None:
    """Take the task, say what the service says."""
    task, say = take_task(CheckpointTask)
    say(answer(task))


def answer(task: CheckpointTask) -> CheckpointAnswer:
    """What the service says, or why it does not."""
    try:
        return asyncio.run(_ask(task))
    except PortError as error:
        return CheckpointAnswer(problem=Problem(message=error.message, hint=error.hint))
    except Exception as error:  # whatever went wrong is told to the user
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
        return CheckpointAnswer(problem=Problem(message=message))


async def _ask(task: CheckpointTask) -> CheckpointAnswer:
    wiring = Wiring(Manifest.model_validate(task.wiring), read_secrets(Home(Path(task.home))))
    try:
        port: Checkpoints = wiring.connect("checkpoints")
        if task.change is None:
            found = [CheckpointInfo(**asdict(kept)) for kept in await port.list()]
            return CheckpointAnswer(checkpoints=found)
        await _change(port, task.change)
        return CheckpointAnswer()
    finally:
        await wiring.close()


async def _change(port: Checkpoints, change: CheckpointChange) -> None:
    match change.action:
        case "expire":
            await port.expire(change.path, change.after_s)
        case "publish" | "unpublish":
            await port.publish(change.path, public=change.action == "publish")
        case "delete":
            await port.delete(change.path)


if __name__ == "__main__":
    main()
