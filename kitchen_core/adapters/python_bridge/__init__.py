"""Functions of Python libraries, called in processes that can be killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kitchen_core.train.ports.adapter import Adapter

if TYPE_CHECKING:
    from kitchen_core.adapters.python_bridge.bridge import ProcessBridge

LIBRARIES = ("math_verify", "sympy", "pylatexenc")


def _connect(
    libraries: Sequence[str] = LIBRARIES,
    functions: Mapping[str, str] | None = None,
    workers: int | None = None,
    timeout_s: float = 2.0,
    memory_mb: int = 1024,
    calls_per_worker: int = 2000,
) -> ProcessBridge:
    from kitchen_core.adapters.python_bridge.bridge import ProcessBridge
    from kitchen_core.adapters.python_bridge.functions import wired
    from kitchen_core.adapters.python_bridge.limits import Limits

    return ProcessBridge(
        wired(libraries, functions or {}),
        Limits(workers, timeout_s, memory_mb, calls_per_worker),
    )


adapter = Adapter(
    name="python_bridge",
    summary="Python libraries in processes with a time and a memory limit per call",
    ports={"python_bridge": _connect},
    own_retries=True,  # what was never begun; what took too long would do so again
    options={
        "libraries": "Which libraries to call: math_verify, sympy, pylatexenc",
        "functions": "Other functions to call, a name to MODULE:FUNCTION each",
        "workers": "Processes; left out: half the cores, eight at most",
        "timeout_s": "Seconds that a call may compute; by the clock it may take ten times as long",
        "memory_mb": "Megabytes that a call may take, beyond what the libraries do",
        "calls_per_worker": "Calls after which a process is replaced by a fresh one; 0: never",
    },
)
