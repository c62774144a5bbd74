"""Exit codes, and the failures that a command reports in one line."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the command's exit code says."""

    DONE = 0
    RUN_FAILED = 1
    WRONG_USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141


class Failure(Exception):  # noqa: N818 - not an error of the program but an answer to the user
    """The command can't go on: one line, what to do about it, and the exit code."""

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.WRONG_USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class OutputClosed(Exception):  # noqa: N818
    """Whoever read the output has gone, as `head` does."""
