"""What the fork server does. It has imported what is slow, and each worker is a copy of it, made within
milliseconds.

It runs one thread and leaves GPUs alone, so that a copy is as good as a process started anew.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
from contextlib import suppress

CONTROL_FD = "KITCHEN_CONTROL_FD"  # the environment variable that holds the socket's number
READY = b"ready"
LONGEST = 64  # bytes of a packet


def forked(control: socket.socket) -> socket.socket | None:
    """Fork a worker for each packet on `control`, and tell of each that has ended.

    A packet holds a number and brings the socket that the worker's lease will come by;
    `NUMBER EXIT_CODE` goes back. Returns in each worker, with that socket; here it returns None,
    once the daemon is gone.
    """
    control.send(READY)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _tell_of_end(control, *key.data)
                    continue
                number, descriptors, *_ = socket.recv_fds(control, LONGEST, 1)
                if not number:
                    return None
                lease = socket.socket(fileno=descriptors[0])
                pid = _fork()
                if pid == 0:
                    return lease
                lease.close()
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (int(number), pid))


def _fork() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()  # a session of its own, like the fork server's
    return pid


def _tell_of_end(control: socket.socket, number: int, pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # the daemon is gone
        control.send(b"%d %d" % (number, os.waitstatus_to_exitcode(status)))
