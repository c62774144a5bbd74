"""The process that asks adapters: a task comes in, an answer a line goes out, as each is there.

python -m kitchen_daemon.adapters.probing_process      (started by the daemon)
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from threading import Lock, Thread
from typing import BinaryIO, cast

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.retry import RetryPolicy
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.train.ports.errors import AuthError, PortError
from kitchen_daemon.adapters.probing import START_SECONDS, Asked, ProbeAnswer, ProbeLine, ProbeTask
from kitchen_daemon.secrets import print_without_keys, read_secrets


def main() -> None:
    """Read the task, write the answers, and end without waiting for who hangs. What libraries print
    goes to the daemon's log.
    """
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        task = ProbeTask.model_validate_json(sys.stdin.buffer.read())
        print_without_keys(Home(Path(task.home)))
        signal.alarm(math.ceil(task.seconds + START_SECONDS))  # should the daemon be gone
        ask_all(task, answers)
        os._exit(0)


def ask_all(task: ProbeTask, answers: BinaryIO) -> None:
    """Ask everybody at the same time, each in a thread and an event loop of its own, so that one that
    blocks holds up no other; and write each answer that is there in time.
    """
    secrets = read_secrets(Home(Path(task.home)))
    find_adapters()  # once, before the threads
    writing = Lock()

    async def tell(index: int, asked: Asked) -> None:
        manifest = Manifest(ports={asked.port: asked.choice}, retry=RetryPolicy(attempts=1))
        wiring = Wiring(manifest, secrets)
        line = ProbeLine(index=index, answer=await ask(wiring, cast(PortName, asked.port)))
        with writing:
            answers.write(line.model_dump_json().encode() + b"\n")
            answers.flush()
        await wiring.close()

    deadline = time.monotonic() + task.seconds
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
