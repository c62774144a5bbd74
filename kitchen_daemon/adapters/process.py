"""The process that asks adapters, and says each answer as it is there.

python -m kitchen_daemon.adapters.process      (started by the daemon)
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from pathlib import Path
from threading import Thread
from typing import cast

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.retry import RetryPolicy
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.train.ports.errors import AuthError, PortError
from kitchen_daemon.adapters.probing import Asked, ProbeAnswer, ProbeLine, ProbeTask
from kitchen_daemon.apart import Say, take_task
from kitchen_daemon.secrets import read_secrets


def main() -> None:
    """Take the task, say the answers, and end without waiting for who hangs."""
    ask_all(*take_task(ProbeTask))
    os._exit(0)


def ask_all(task: ProbeTask, say: Say) -> None:
    """Ask everybody at the same time, each in a thread and an event loop of its own, so that one that
    blocks holds up no other; and say each answer that is there in time.
    """
    secrets = read_secrets(Home(Path(task.home)))
    find_adapters()  # once, before the threads

    async def tell(index: int, asked: Asked) -> None:
        manifest = Manifest(ports={asked.port: asked.choice}, retry=RetryPolicy(attempts=1))
        wiring = Wiring(manifest, secrets)
        say(ProbeLine(index=index, answer=await ask(wiring, cast(PortName, asked.port))))
        await wiring.close()

    deadline = time.monotonic() + task.seconds_each
    threads = [
        Thread(target=lambda which=which: asyncio.run(tell(*which)), daemon=True)
        for which in enumerate(task.asked)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


async def ask(wiring: Wiring, port: PortName) -> ProbeAnswer:
    """Connect, and probe where the adapter can."""
    try:
        client = wiring.connect(port)
    except PortError as error:
        return ProbeAnswer(state="not set up", detail=error.message, hint=error.hint)
    except Exception as error:  # another package's code: it may raise what it likes
        return _broken(error)
    if not hasattr(client, "probe"):
        return ProbeAnswer(state="unprobed")
    try:
        return ProbeAnswer(state="reachable", detail=await client.probe())
    except AuthError as error:
        return ProbeAnswer(state="refused", detail=error.message, hint=error.hint)
    except PortError as error:
        return ProbeAnswer(state="unreachable", detail=error.message, hint=error.hint)
    except Exception as error:
        return _broken(error)


def _broken(error: Exception) -> ProbeAnswer:
    traceback.print_exception(error)
    return ProbeAnswer(state="unreachable", detail=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
