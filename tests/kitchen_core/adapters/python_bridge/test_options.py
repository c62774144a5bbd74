"""What the manifest can say to the bridge, and how it is refused."""

from __future__ import annotations

import inspect
import os

import pytest

from kitchen_core.adapters.python_bridge import LIBRARIES, adapter
from kitchen_core.adapters.python_bridge.functions import wired
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.train.ports.errors import InvalidRequest

connect = adapter.ports["python_bridge"]


def test_every_option_is_told_of():
    assert set(inspect.signature(connect).parameters) == set(adapter.options)


def test_the_libraries_bring_their_functions_and_the_manifest_its_own():
    places = wired(LIBRARIES, {"mine.grade": "mine:grade"})
    assert {"math_verify.verify", "sympy.equal", "pylatexenc.to_text"} < set(places)
    assert places["mine.grade"] == "mine:grade"
    assert set(wired(["pylatexenc"], {})) == {"pylatexenc.to_text"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"libraries": ["simpy"]}, "no library 'simpy'; known are .*did you mean 'sympy'"),
        ({"libraries": "sympy"}, "must be a list"),
        ({"functions": {"mine": "mine.grade"}}, "functions.mine is 'mine.grade'.*MODULE:FUNCTION"),
        ({"workers": 0}, "workers is 0, but must be at least 1"),
        ({"memory_mb": 0}, "memory_mb is 0"),
        ({"timeout_s": 0.0}, "timeout_s is 0"),
        ({"timeout_s": float("nan")}, "timeout_s is nan"),
        ({"calls_per_worker": -1}, "calls_per_worker is -1"),
    ],
)
def test_options_that_can_not_be_are_refused(options, message):
    with pytest.raises(InvalidRequest, match=message):
        connect(**options)


def test_half_the_cores_serve_the_bridge_unless_told_otherwise():
    cores = len(os.sched_getaffinity(0))
    assert Limits().num_workers == max(1, min(8, cores // 2))
    assert Limits(workers=3).num_workers == 3
