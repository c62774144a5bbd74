"""What it means for an answer to be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

Verdict = Literal["right", "wrong", "unparseable", "failed"]
"""`unparseable`: the answer can't be read as what was asked for. `failed`: the verifier took too long or
broke; nothing is known of the answer.
"""


class UnreadableGold(ValueError):  # noqa: N818 - named by the condition
    """The right answer itself can't be read, so nothing can be held against it."""


class Grader(Protocol):
    """Compares answers with what is right."""

    async def grade(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """A verdict for each pair of the right answer (first) and the one given.

        Raises UnreadableGold naming a right answer that can't be read.
        """
        ...
