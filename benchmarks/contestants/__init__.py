"""The trainers that race each other, and how each is asked for steps.

A contestant is a process of its own (`python -m benchmarks.contestants.NAME JOB.json`) that loads the
job's model once and then takes turns: it reads a number of steps from stdin, takes them, and answers
with a line of JSON. So every contestant stays warm while the others run, and rounds can be
interleaved. This module needs nothing but the standard library: a peer runs in an environment of
its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


class Turns:
    """A contestant's side of the talk: `begin` once it is loaded, then `stepped` after every step."""

    def __init__(self) -> None:
        self._replies = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what libraries print is not a reply
        self._await_request()

    def _await_request(self) -> None:
        asked = sys.stdin.readline()
        if not asked:
            sys.exit()
        self._left = int(asked)
        self._tokens, self._items, self._flops = 0, 0, 0.0
        self._started = time.perf_counter(), time.process_time()

    def stepped(self, tokens: int, *, items: int = 0, flops: float = 0.0) -> None:
        """A step over so many tokens is done. Returns when the next one is wanted.

        items: the pairs or completions in it. flops: its arithmetic, where the contestant counts it.
        """
        self._tokens += tokens
        self._items += items
        self._flops += flops
        self._left -= 1
        if self._left:
            return
        began, cpu_began = self._started
        turn = {
            "tokens": self._tokens,
            "items": self._items,
            "flops": self._flops,
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu_began,
            "peak_bytes": peak_bytes(),
        }
        self._replies.write(json.dumps(turn) + "\n")
        self._await_request()


def peak_bytes() -> int:
    """The most memory that this process has held at once (Linux's VmHWM)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
