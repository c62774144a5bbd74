"""How the tests run: one profile for all property tests, and who runs which where several processes
share them (`make units`).

How long an example takes says more of the machine than of the code. In CI the examples are the same
every time, as in Hypothesis's own profile for it.
"""

from __future__ import annotations

import os
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

ONE_DAEMON = "tests/kitchen_daemon/"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """A process runs whole files; one runs all that share a daemon, which has a machine to itself then
    but for one process.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrDaemon(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return ONE_DAEMON if nodeid.startswith(ONE_DAEMON) else super()._split_scope(nodeid)

    return ByFileOrDaemon(config, log)
