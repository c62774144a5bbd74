"""What an adapter has to say while it works, beside its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a run's log should know of an adapter's work.

    kind: `retried`, an attempt failed; or `waiting`, the other side lets us wait. asked: the operation
    in a few words. attempt: which one failed, from 1. wait_s: until the next one; None where there is
    none, or nobody knows.
    """

    kind: Literal["retried", "waiting"]
    port: str
    adapter: str
    asked: str
    message: str
    attempt: int | None = None
    wait_s: float | None = None

    def __str__(self) -> str:
        """One line: who, what, and what comes next."""
        line = f"{self.port}/{self.adapter}: {self.message}"
        if self.kind == "waiting":
            return f"{line}; asking again in {_seconds(self.wait_s)}" if self.wait_s else line
        if self.wait_s is None:
            return f"{line}; attempt {self.attempt} was the last"
        return f"{line}; attempt {(self.attempt or 0) + 1} in {_seconds(self.wait_s)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}".removesuffix(".0") + " s"


Notify = Callable[[Notice], None]
"""Takes a notice, from any thread."""


def nobody(notice: Notice) -> None:
    """Where nobody listens."""
