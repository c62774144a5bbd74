"""How the tests run: one profile for all property tests, and who runs which where several processes
share them (`make units`).

How long an example takes says more of the machine than of the code. In CI the examples are the same
every time, as in Hypothesis's own profile for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from xdist.scheduler import Scheduling

settings.register_profile(
    "kitchen",
    deadline=None,
    max_examples=100,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("kitchen")

LONGEST_S = 240
"""What no test takes, however busy the machine is."""

OF_ONE_DAEMON = tuple(
    f"tests/kitchen_daemon/{file}"
    for file in (
        "hub/test_hub.py",
        "launching/test_freezing.py",
        "reloading/test_at_a_daemon.py",
        "rendering/test_rendering.py",
        "running/test_data.py",
        "running/test_kill_points.py",
        "running/test_resume.py",
        "running/test_runs.py",
        "running/test_survival.py",
        "test_no_secret.py",
        "transfers/test_transfers.py",
    )
)
"""The files whose tests share one daemon: a third of the time that all tests take. One that is missing here starts
another daemon in the other process.
"""


def pytest_configure() -> None:
    """Programs that tests start can be told to stop by Ctrl-C, though a shell that runs the tests in the background
    has it ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails where it hangs, and keeps no other from being told."""
    before = signal.signal(signal.SIGALRM, _took_too_long)
    signal.alarm(0 if item.get_closest_marker("slow") else LONGEST_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _took_too_long(signum: int, frame: FrameType | None) -> None:
    pytest.fail(f"not over after {LONGEST_S} s")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """A process runs whole files, those of many tests first; one runs all that share a daemon, so that none is
    started twice.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrDaemon(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shares = nodeid.startswith(OF_ONE_DAEMON)
            return "one daemon" if shares else super()._split_scope(nodeid)

    return ByFileOrDaemon(config, log)
