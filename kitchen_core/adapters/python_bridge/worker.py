"""What runs in a process of the bridge: making ready, and calls.

Nothing of the run is here: the process comes from a fork server that has imported the libraries and
nothing else, so there is no model, no CUDA and no thread in it.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

OUT_OF_MEMORY = 77
"""Exit status of a process in which a call took more memory than it may."""

Outcome = tuple[Literal["returned", "raised", "missing"], str]
"""A result as JSON, or what went wrong as text."""

_functions: dict[str, Callable[..., Any]] = {}
_missing: dict[str, str] = {}


def prepare(places: Mapping[str, str], memory_mb: int) -> None:
    """Make this process ready: it dies with its parent, imports its functions, and is held to its memory."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends at once, even in the middle of C code
    _die_with_parent()
    for name, place in places.items():
        try:
            _functions[name] = _find(place)
        except Exception as error:  # whatever an import raises: the others can still be called
            _missing[name] = f"{place} can't be imported: {type(error).__name__}: {error}"
    _limit_memory(memory_mb)


def run(function: str, arguments: str) -> Outcome:
    """Call a function with a JSON list of arguments.

    Out of memory, this process ends: what is left of it can't be trusted.
    """
    if function in _missing:
        return "missing", _missing[function]
    try:
        return "returned", json.dumps(_functions[function](*json.loads(arguments)))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:
        return "raised", f"{type(error).__name__}: {str(error)[:500]}"


def _find(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _die_with_parent() -> None:
    """Be killed when the run's process ends, however it does and whatever happens here.

    The run's process holds the other end of a pipe; when it is closed, the kernel sends SIGIO, which ends
    this process, even in the middle of C code. (The death of the fork server, which PR_SET_PDEATHSIG
    would tell of, comes too late: it outlives its children.)
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    if not parent.is_alive():  # it ended before the lines above
        os._exit(1)


def _limit_memory(memory_mb: int) -> None:
    """Allow so much address space beyond what there is. Allocations past it fail in this process alone."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + (memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
