"""What passes between the daemon and a worker: one line each way.

The worker says its pid; the daemon names a run. A worker whose daemon goes away before that ends.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pydantic import BaseModel

LONGEST = 65536  # bytes


class Lease(BaseModel):
    """A run for a worker.

    devices: what CUDA may see, as its own variable spells it: UUIDs with commas between, empty for none; None leaves it
    as it is. memory_bytes: the most that it may take of each of them, for a run that shares its GPU; None: all.
    """

    home: Path
    run_id: str
    attempt: int
    devices: str | None = None
    memory_bytes: int | None = None


def send_lease(control: socket.socket, lease: Lease) -> None:
    """Give the run away. Raises OSError where the worker is gone."""
    control.sendall(lease.model_dump_json().encode() + b"\n")


def wait_for_lease(control: socket.socket) -> Lease | None:
    """Say which process this is, then block until there is a run; None when the daemon is gone."""
    control.sendall(b"%d\n" % os.getpid())
    with control.makefile("rb") as lines:
        line = lines.readline(LONGEST)
    return Lease.model_validate_json(line) if line.endswith(b"\n") else None
