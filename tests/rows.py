"""Rows of chat, and files of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def chat(question: str, answer: str = "!", *more: str) -> dict[str, Any]:
    """A row of a question and its answer, and further turns in the same order."""
    turns = (question, answer, *more)
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": said} for i, said in enumerate(turns)]}


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """A file of rows, its folder made where need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
