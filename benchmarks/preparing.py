"""How fast data is prepared, in rows a second of CPU time: `python -m benchmarks.preparing`.

Two sets: `builtin:chat`, and a JSONL file made of it by repeating its rows with other numbers in front.
Each is prepared as a run does it, in one thread: rows read, recognised and rendered through the tiny
model's chat template, sequences written into a store of prepared sets. What the template and the
tokenizer alone take for the same rows, called through transformers in the plainest way, stands
beside it: that part is not the kitchen's. CPU time, because all of it is one thread's work and what
else the machine does then hardly counts; waiting for the disk is left out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from benchmarks.reference import sft
from kitchen_core import builtin
from kitchen_core.adapters.local_files.reader import open_rows
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.prepared import PreparedStore
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.schemas import EXAMPLES, rows_as
from kitchen_core.train.types import Row

MAX_LENGTH = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the JSONL file")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chats = builtin.dataset_rows("chat", "train")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        write_chats(path, chats, given.rows)
        figures = {
            "builtin:chat": compared(chats, Path(folder)),
            f"{given.rows:,} rows of jsonl": compared(open_rows(path), Path(folder)),
        }
    if given.json:
        print(json.dumps(figures))
        return
    table = Table("", "rows/CPU s", "template and tokenizer alone", title="Preparing")
    for name, (ours, alone) in figures.items():
        table.add_row(name, f"{ours:,.0f}", f"{alone:,.0f}")
    Console().print(table)


def write_chats(path: Path, chats: list[Row], count: int) -> None:
    """A JSONL file of `count` chats, no two alike."""
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            first, *rest = chats[i % len(chats)]["messages"]
            asked = first | {"content": f"{i}: {first['content']}"}
            file.write(json.dumps({"messages": [asked, *rest]}) + "\n")


def compared(rows: Iterable[Row], folder: Path) -> tuple[float, float]:
    """Rows a second of preparing, and of template and tokenizer alone."""
    return rows_per_s(rows, lambda: prepare(rows, folder)), rows_per_s(rows, lambda: plain(rows))


def rows_per_s(rows: Iterable[Row], work: Callable[[], None]) -> float:
    """How many rows went through in a second of CPU time."""
    count = sum(1 for _ in rows)
    started = time.process_time()
    work()
    return count / (time.process_time() - started)


def prepare(rows: Iterable[Row], folder: Path) -> None:
    """What a run does with a set that it has not met."""
    tokenizer = cast("Tokenizer", HuggingFaceTokenizer(builtin.model_folder("tiny")))
    renderer = get_renderer("auto", tokenizer)
    preparation = Preparation(renderer, tokenizer, "all_assistant_messages", MAX_LENGTH)
    with (
        tempfile.TemporaryDirectory(dir=folder) as home,
        PreparedStore(Path(home)).writing("benchmark") as writer,
    ):
        for number, example in enumerate(rows_as(EXAMPLES, rows, "benchmark"), start=1):
            for sequence in preparation.sequences(example):
                writer.add(sequence, number)


def plain(rows: Iterable[Row]) -> None:
    """The same rows through transformers, nothing kept."""
    tokenizer: Any = AutoTokenizer.from_pretrained(builtin.model_folder("tiny"))
    for row in rows:
        sft.tokenize(tokenizer, row, MAX_LENGTH)


if __name__ == "__main__":
    main()
