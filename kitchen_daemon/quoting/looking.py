"""A quick look at data: how many rows there are, and how long the first of them are.

It takes some milliseconds, so it reads the beginning of a file and counts characters, not tokens. What it
does not know it says; steps of earlier runs on the same data correct what it guesses.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from kitchen_core import builtin
from kitchen_core.refs import parse_ref
from kitchen_core.train.conversations import Comparison, Conversation, Document
from kitchen_core.train.schemas import COMPARISONS, EXAMPLES, PROMPTS, RowError, rows_as
from kitchen_core.train.types import Row

LOOKED_AT = 100
"""Rows."""

LOOKED_AT_BYTES = 2**18
CHARACTERS_A_TOKEN = 4.0
"""Of English text with a vocabulary of tens of thousands; a small vocabulary has a token a character."""

SMALL_VOCABULARY = 2000
TOKENS_A_TURN = 5
"""What a chat template writes around a turn."""

_READINGS = {"examples": EXAMPLES, "comparisons": COMPARISONS, "prompts": PROMPTS}


@dataclass(frozen=True, slots=True)
class RowLengths:
    """A row in characters, and in turns. learnt: of what is trained or answered; of a comparison both
    answers.
    """

    prompt: int
    learnt: int
    turns: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of rows: prompts, and what follows them; in the mean, its spread, and at most."""

    prompt: float
    learnt: float
    spread: float
    longest: int
    longest_prompt: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found. rows: to train on, test_rows: to measure on; None where that is not known."""

    rows: int | None
    test_rows: int | None
    lengths: tuple[RowLengths, ...]

    def tokens(self, vocab: int, max_length: int) -> Lengths | None:
        """The rows in tokens of a model with so many, cut at `max_length`; None where none was seen."""
        if not self.lengths:
            return None
        each = CHARACTERS_A_TOKEN if vocab > SMALL_VOCABULARY else 1.0
        prompts = [
            row.prompt / each + TOKENS_A_TURN * max(1, row.turns - 1) for row in self.lengths
        ]
        learnt = [row.learnt / each + TOKENS_A_TURN for row in self.lengths]
        whole = [min(p + t, max_length) for p, t in zip(prompts, learnt, strict=True)]
        return Lengths(
            prompt=min(statistics.fmean(prompts), max_length),
            learnt=min(statistics.fmean(learnt), max_length),
            spread=statistics.pstdev(whole),
            longest=round(max(whole)),
            longest_prompt=round(min(max(prompts), max_length)),
        )


NOTHING = Look(None, None, ())


def look(ref: str, pin: str, kind: str, fields: Mapping[str, str]) -> Look:
    """Look at the data of a ref, read as `examples`, `comparisons` or `prompts`. pin: what its content was at
    submission; the same content is looked at once.
    """
    return _look(ref, pin, kind, tuple(sorted(fields.items())))


@lru_cache(maxsize=64)
def _look(ref: str, pin: str, kind: str, fields: tuple[tuple[str, str], ...]) -> Look:
    parsed = parse_ref(ref)
    found, rows = _rows(parsed.kind, parsed.name)
    try:
        examples = rows_as(_READINGS[kind], rows, ref, dict(fields))
        return replace(found, lengths=tuple(map(_lengths, islice(examples, LOOKED_AT))))
    except (RowError, StopIteration):  # the run will say what is wrong with it
        return found


def _rows(kind: str, name: str) -> tuple[Look, Sequence[Row]]:
    if kind == "builtin":
        train = builtin.dataset_rows(name, "train")
        return Look(len(train), len(builtin.dataset_rows(name, "test")), ()), train[:LOOKED_AT]
    if kind == "file":
        rows, count = _first_lines(Path(name))
        return Look(count, None, ()), rows
    return NOTHING, []


def _first_lines(path: Path) -> tuple[list[Row], int | None]:
    """The first rows of a file with an object a line, and how many there will be by its size."""
    if not path.name.endswith((".jsonl", ".json")):
        return [], None
    with path.open("rb") as file:
        begin = file.read(LOOKED_AT_BYTES)
    size = path.stat().st_size
    lines = begin.split(b"\n")
    whole = lines if len(begin) == size else lines[:-1]
    rows = [row for line in whole if line.strip() and (row := _parsed(line)) is not None]
    if not rows:
        return [], None
    a_row = sum(len(line) + 1 for line in whole) / len(rows)
    return rows, max(len(rows), round(size / a_row))


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _lengths(example: Any) -> RowLengths:
    for kind, measure in _MEASURES.items():
        if isinstance(example, kind):
            return measure(example)
    return RowLengths(0, len(str(example)), 1)


def _of_conversation(example: Conversation) -> RowLengths:
    said = sum(len(turn.content) for turn in example.messages if turn.role == "assistant")
    every = sum(len(turn.content) for turn in example.messages)
    return RowLengths(every - said, said, len(example.messages))


def _of_comparison(example: Comparison) -> RowLengths:
    prompt = sum(len(turn.content) for turn in example.prompt.messages)
    both = sum(len(t.content) for side in (example.chosen, example.rejected) for t in side.messages)
    return RowLengths(prompt, both - 2 * prompt, len(example.chosen.messages))


_MEASURES: Mapping[type, Callable[[Any], RowLengths]] = {
    Conversation: _of_conversation,
    Comparison: _of_comparison,
    Document: lambda example: RowLengths(0, len(example.text), 1),
}
