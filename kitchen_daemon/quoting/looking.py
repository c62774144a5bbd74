"""A quick look at data: how many rows there are, and how long the first of them are.

It takes some milliseconds, so it reads the beginning of a file and runs no chat template. What it does not know it
says; steps of earlier runs on the same data correct what it guesses.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from kitchen_core import builtin
from kitchen_core.adapters.token_counts import standing_prompt, token_counter
from kitchen_core.refs import parse_ref
from kitchen_core.train.conversations import Comparison, Conversation, Document
from kitchen_core.train.schemas import COMPARISONS, EXAMPLES, PROMPTS, RowError, rows_as
from kitchen_core.train.types import Message, Row

LOOKED_AT = 64
"""Rows."""

LOOKED_AT_BYTES = 2**18
TOKENS_A_TURN = 5
"""What a chat template writes around a turn."""

_READINGS = {"examples": EXAMPLES, "comparisons": COMPARISONS, "prompts": PROMPTS}


@dataclass(frozen=True, slots=True)
class RowTexts:
    """What a row says. learnt: of what is trained or answered, of a comparison both answers. turns: of the prompt,
    0 of a plain text. has_system: whether it tells the model who it is.
    """

    prompt: str
    learnt: str
    turns: int
    has_system: bool = True


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
    texts: tuple[RowTexts, ...] = ()


@lru_cache(maxsize=16)
def lengths_of(seen: Look, folder: Path, max_length: int) -> Lengths | None:
    """The rows in tokens of the model in a folder, cut at `max_length`; None where none was seen."""
    if not seen.texts:
        return None
    count = token_counter(folder)
    standing = count(standing_prompt(folder)) + TOKENS_A_TURN if standing_prompt(folder) else 0
    prompts = [
        count(row.prompt) + TOKENS_A_TURN * row.turns + (0 if row.has_system else standing)
        for row in seen.texts
    ]
    learnt = [count(row.learnt) + (TOKENS_A_TURN if row.turns else 0) for row in seen.texts]
    whole = [min(p + t, max_length) for p, t in zip(prompts, learnt, strict=True)]
    return Lengths(
        prompt=min(statistics.fmean(prompts), max_length),
        learnt=min(statistics.fmean(learnt), max_length),
        spread=statistics.pstdev(whole),
        longest=max(whole),
        longest_prompt=min(max(prompts), max_length),
    )


NOTHING = Look(None, None)


def look(ref: str, pin: str, kind: str, fields: Mapping[str, str]) -> Look:
    """Look at the data of a ref, read as `examples`, `comparisons` or `prompts`. pin: what its content was at
    submission; the same content is looked at once.
    """
    return _look(ref, pin, kind, tuple(sorted(fields.items())))


@lru_cache(maxsize=16)
def _look(ref: str, pin: str, kind: str, fields: tuple[tuple[str, str], ...]) -> Look:
    parsed = parse_ref(ref)
    found, rows = _rows(parsed.kind, parsed.name)
    try:
        examples = rows_as(_READINGS[kind], rows, ref, dict(fields))
        return replace(found, texts=tuple(map(_texts, islice(examples, LOOKED_AT))))
    except (RowError, StopIteration):  # the run will say what is wrong with it
        return found


def _rows(kind: str, name: str) -> tuple[Look, Sequence[Row]]:
    if kind == "builtin":
        train = builtin.dataset_rows(name, "train")
        return Look(len(train), len(builtin.dataset_rows(name, "test"))), train[:LOOKED_AT]
    if kind == "file":
        rows, count = _first_lines(Path(name))
        return Look(count, None), rows
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


def _texts(example: Any) -> RowTexts:
    match example:
        case Conversation():
            return _of_conversation(example)
        case Comparison():
            prompt, sides = example.prompt, (example.chosen, example.rejected)
            answers = [turn for side in sides for turn in side.messages[len(prompt.messages) :]]
            said = "\n".join(turn.content for turn in answers)
            return replace(_of_conversation(prompt), learnt=said)
        case Document():
            return RowTexts("", example.text, 0)
        case _:
            return RowTexts("", str(example), 0)


def _of_conversation(example: Conversation) -> RowTexts:
    answers = [turn for turn in example.messages if turn.role == "assistant"]
    others = [turn for turn in example.messages if turn.role != "assistant"]
    has_system = any(turn.role == "system" for turn in others)
    return RowTexts(_joined(others), _joined(answers), len(example.messages) - 1 or 1, has_system)


def _joined(turns: Sequence[Message]) -> str:
    return "\n".join(turn.content for turn in turns)
