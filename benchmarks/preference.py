"""DPO beside its peers: `python -m benchmarks.preference`.

    python -m benchmarks.preference [--model FOLDER] [--peer-python PYTHON] [--only tiny,real]

What is measured, in pairs a second:

- tiny: the embedded model on `builtin:preferences`, all weights, batches of 32 pairs, one thread;
- real: a model folder (`--model`, such as SmolLM2-135M-Instruct), LoRA 32 on all linear layers,
  batches of 4 pairs, prompts of 32 to 128 tokens and answers of 16 to 96, two threads.

Against whom: the flat script `benchmarks.reference.dpo`, and TRL's DPOTrainer (`--peer-python`, see
`benchmarks.supervised`). All take the same tokens in float32 with the same AdamW and clipping; what
the reference says of the pairs is computed before. How they take turns and what the intervals mean is
told in `benchmarks.race`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks import models
from benchmarks.contestants.jobs import Pair, PreferenceJob
from benchmarks.figures import KITCHEN, Row, figures, show
from benchmarks.race import race
from kitchen_core import builtin
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.types import Message, Role

PARTS = ("tiny", "real")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a model folder for `real`")
    parser.add_argument("--peer-python", help="an interpreter that has TRL")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts = (given.only,) if given.only else PARTS

    said, rows = [], list[Row]()
    contestants: dict[str, Sequence[str]] = {
        KITCHEN: (sys.executable, "kitchen_dpo"),
        "flat": (sys.executable, "flat_dpo"),
    }
    if given.peer_python:
        contestants["TRL"] = (given.peer_python, "trl_dpo")
    else:
        said.append("TRL is left out: --peer-python names an interpreter that has it.")
    if "tiny" in parts:
        turns = race(tiny_job(), contestants, rounds=given.rounds, steps=10, warm_up=5)
        rows += figures("tiny", turns, "items")
    if "real" in parts and given.model:
        rounds = max(3, given.rounds // 4)
        turns = race(real_job(given.model), contestants, rounds=rounds, steps=1, warm_up=1)
        rows += figures("real", turns, "items")
    elif "real" in parts:
        said.append("The real model is left out: --model names its folder.")
    show("DPO", rows, said, items="pairs", as_json=given.json)


def tiny_job() -> PreferenceJob:
    """The embedded model on the embedded preferences."""
    folder = builtin.model_folder("tiny")
    renderer = get_renderer("auto", HuggingFaceTokenizer(folder))

    def pair(row: dict[str, list[dict[str, str]]]) -> Pair:
        turns = {name: _turns(row[name]) for name in ("prompt", "chosen", "rejected")}
        prompt = renderer.prompt(Conversation(turns["prompt"]))
        chosen, rejected = (
            renderer.supervised(Conversation(turns["prompt"] + turns[name]), "all_tokens").tokens
            for name in ("chosen", "rejected")
        )
        return Pair(prompt, chosen[len(prompt) :], rejected[len(prompt) :])

    pairs = [pair(row) for row in builtin.dataset_rows("preferences", "train")]
    return PreferenceJob(model=str(folder), pairs=pairs, batch_size=32)


def _turns(rows: Sequence[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(cast(Role, row["role"]), row["content"]) for row in rows)


def real_job(folder: Path) -> PreferenceJob:
    """A real model on pairs of tokens drawn at random, the same at every call."""
    vocabulary = models.vocabulary_of(folder)
    draw = np.random.default_rng(0)

    def tokens(shortest: int, longest: int) -> list[int]:
        return draw.integers(vocabulary, size=draw.integers(shortest, longest + 1)).tolist()

    pairs = [Pair(tokens(32, 128), tokens(16, 96), tokens(16, 96)) for _ in range(32)]
    return PreferenceJob(model=str(folder), pairs=pairs, batch_size=4, lora_rank=32, threads=2)


if __name__ == "__main__":
    main()
