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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple


class Example(NamedTuple):
    """A sequence `[seq]`, and whether each of its tokens is trained `[seq]`."""

    tokens: list[int]
    trained: list[bool]


@dataclass(frozen=True)
class Job:
    """What all contestants do alike: AdamW steps of `batch_size` examples, the gradient clipped at 1.

    lora_rank: 0 trains all weights. max_length: tokens of the longest example.
    """

    model: str
    examples: list[Example]
    batch_size: int
    lora_rank: int = 0
    learning_rate: float = 1e-4
    threads: int = 1
    device: str = "cpu"

    @property
    def max_length(self) -> int:
        """Tokens of the longest example."""
        return max(len(example.tokens) for example in self.examples)

    @property
    def tokens_a_step(self) -> int:
        """What a batch holds on average, in tokens."""
        return sum(len(e.tokens) for e in self.examples) * self.batch_size // len(self.examples)

    def batches(self) -> list[list[Example]]:
        """The examples in order, an incomplete last batch left out."""
        size = self.batch_size
        whole = len(self.examples) // size * size
        return [self.examples[i : i + size] for i in range(0, whole, size)]

    def write(self, path: Path) -> None:
        """As JSON, for the contestants' processes."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def read_job() -> Job:
    """The job that this process was started with."""
    fields = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return Job(**fields | {"examples": [Example(*example) for example in fields["examples"]]})


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
        self._tokens, self._flops = 0, 0.0
        self._started = time.perf_counter(), time.process_time()

    def stepped(self, tokens: int, flops: float = 0.0) -> None:
        """A step over `tokens` predicted tokens is done. Returns when the next one is wanted.

        flops: its arithmetic, where the contestant counts it.
        """
        self._tokens += tokens
        self._flops += flops
        self._left -= 1
        if self._left:
            return
        began, cpu_began = self._started
        turn = {
            "tokens": self._tokens,
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
