"""The worker process: forked from one that has imported what is slow, it waits for a run, executes it,
ends.

python -m kitchen_daemon.worker        (started by the daemon: the fork server)
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from kitchen_daemon.running.forking import CONTROL_FD, forked
from kitchen_daemon.running.lease import Lease, wait_for_lease


def main() -> None:
    """Fork workers until the daemon is gone. A worker waits for its lease and runs it; its exit code
    is 0 once the run's status says how it went.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to whoever watches
    import_what_is_slow()
    with socket.socket(fileno=int(os.environ.pop(CONTROL_FD))) as control:
        leasing = forked(control)
    if leasing is None:
        return
    with leasing:
        lease = wait_for_lease(leasing)
    if lease is not None:
        sys.exit(execute(lease))


def execute(lease: Lease) -> int:
    """Run a lease in this process: its log file, its devices, then the run."""
    from kitchen_core.adapters.process_memory import give_back_what_is_large
    from kitchen_core.home import Home
    from kitchen_daemon.running.execution import execute_run
    from kitchen_daemon.secrets import print_without_keys

    give_back_what_is_large()
    home = Home(lease.home)
    _print_to(home.attempt_log(lease.run_id, lease.attempt))
    print_without_keys(home)
    _log_what_happens()
    _take_devices(lease)
    return asyncio.run(execute_run(home, lease.run_id, lease.attempt))


def _take_devices(lease: Lease) -> None:
    """Before CUDA starts: it reads the variable once."""
    from kitchen_core.adapters import torch_local

    if lease.devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = lease.devices
    if lease.memory_bytes is not None:
        torch_local.limit_memory(lease.memory_bytes)


def import_what_is_slow() -> None:
    """What runs need and takes seconds to import, once for all workers."""
    import kitchen_daemon.running.execution  # noqa: F401
    from kitchen_core.adapters import torch_local

    torch_local.warm_up()
    gc.collect()
    gc.freeze()  # what was imported stays: collections need not walk through it, and workers share it


def _print_to(path: Path) -> None:
    """Everything that is printed from here on, by C libraries too, goes to the run's log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def _log_what_happens() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("stamina").setLevel(logging.ERROR)  # every attempt is an event already
    for client in ("httpx", "httpx2"):  # a line for each of a night's requests; failures are events
        logging.getLogger(client).setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
