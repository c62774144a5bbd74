"""A bridge over the contract's functions, and the processes that it has."""

from __future__ import annotations

import multiprocessing.forkserver
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from kitchen_core.adapters.python_bridge.bridge import ProcessBridge
from kitchen_core.adapters.python_bridge.limits import Limits
from tests.contracts.test_python_bridge import PLACES


@asynccontextmanager
async def bridge_with(**limits: float) -> AsyncIterator[ProcessBridge]:
    bridge = ProcessBridge(PLACES, Limits(**{"workers": 1, "timeout_s": 10.0, **limits}))  # pyright: ignore[reportArgumentType]
    yield bridge
    await bridge.close()


def workers() -> list[psutil.Process]:
    """The processes that calls run in: the fork server's children."""
    found = psutil.Process().children(recursive=True)
    server = multiprocessing.forkserver._forkserver._forkserver_pid
    return [each for each in found if each.ppid() == server]


def all_gone(processes: list[psutil.Process], within_s: float = 10.0) -> bool:
    """Whether they have all ended; who reaps orphans, and when, is the system's affair."""
    until = time.monotonic() + within_s
    while any(map(is_alive, processes)):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
