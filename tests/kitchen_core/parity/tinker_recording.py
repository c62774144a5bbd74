"""What tinker-cookbook did at a Tinker server, and the same told to the kitchen: data files and settings.

`tests/fixtures/parity/tinker` holds the recording and the script that made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kitchen_core.train.batches import BatchPlan
from tests.rows import chat, write_jsonl

PARITY = Path(__file__).parents[2] / "fixtures" / "parity"
BASE = PARITY / "supervised" / "base"
RECORDED = json.loads((PARITY / "tinker" / "recorded.json").read_text(encoding="utf-8"))
SETTINGS, RUNS = RECORDED["settings"], RECORDED["runs"]
Rows = list[dict[str, Any]]

AS_RECORDED = {
    "seed": SETTINGS["seed"],
    "renderer": SETTINGS["renderer"],
    "lora_rank": SETTINGS["lora"]["rank"],
    "lora_alpha": SETTINGS["lora"]["alpha"],
    "num_epochs": 1,
    "warmup_steps": 0,
    "grad_clip_norm": 0,
    "eval_every": 0,
    "save_every": 8,
    "max_steps": None,
}


def read_rows(file: Path) -> Rows:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


PROBLEMS = read_rows(PARITY / "tinker" / "problems.jsonl")


def settings_of(name: str) -> dict[str, Any]:
    """The run's own settings by the kitchen's names, `dataset` apart."""
    recorded = SETTINGS[name]
    names = ("batch_size", "learning_rate", "lr_schedule", "max_length", "max_tokens", "dpo_beta")
    names += ("groups_per_batch", "group_size")
    given = {key: recorded[key] for key in names if key in recorded}
    if "reduction" in recorded:
        given["reduction"] = "example"
    return AS_RECORDED | given | _OTHERS.get(name, {})


_OTHERS: dict[str, dict[str, Any]] = {
    "math_rl": {"env": "arithmetic", "remove_constant_groups": False, "max_steps": 3},
    "distillation": {"max_steps": 3},
}


def data_of(name: str, folder: Path) -> Path:
    """The run's data in an order that the kitchen's shuffling turns into the one that the cookbook had."""
    rows, batches = _DATA[name]()
    taken = [number for batch in batches for number in batch]
    left = sorted(set(range(len(rows))) - set(taken))
    plan = BatchPlan(len(rows), len(batches[0]), 1, None, SETTINGS["seed"])
    laid: Rows = [{} for _ in rows]
    for place, number in zip(plan.of_epoch(0).tolist(), [*taken, *left], strict=True):
        laid[place] = rows[number]
    return write_jsonl(folder / f"{name}.jsonl", laid)


def _sums() -> tuple[Rows, list[list[int]]]:
    batches = RUNS["sl_basic"]["rows"]
    count = sum(map(len, batches))
    said = [chat(each["question"], each["answer"]) for each in PROBLEMS]
    return [said[i % len(said)] for i in range(count)], batches


def _chats() -> tuple[Rows, list[list[int]]]:
    rows = read_rows(PARITY / "supervised" / "chat.jsonl")
    return [{"messages": row["messages"]} for row in rows], RUNS["chat_sl"]["rows"]


def _pairs() -> tuple[Rows, list[list[int]]]:
    return read_rows(PARITY / "preference" / "pairs.jsonl"), RUNS["dpo"]["rows"]


def _problems() -> tuple[Rows, list[list[int]]]:
    return PROBLEMS, _in_order(SETTINGS["math_rl"]["groups_per_batch"])


def _questions() -> tuple[Rows, list[list[int]]]:
    asked = [{"messages": [{"role": "user", "content": each["question"]}]} for each in PROBLEMS]
    return asked, _in_order(SETTINGS["distillation"]["groups_per_batch"])


def _in_order(size: int) -> list[list[int]]:
    return [list(range(start, start + size)) for start in range(0, 3 * size, size)]


_DATA: dict[str, Callable[[], tuple[Rows, Sequence[list[int]]]]] = {
    "sl_basic": _sums,
    "chat_sl": _chats,
    "dpo": _pairs,
    "math_rl": _problems,
    "distillation": _questions,
}
