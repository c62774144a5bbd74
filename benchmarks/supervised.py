"""Supervised training beside its peers: `python -m benchmarks.supervised`.

    python -m benchmarks.supervised [--model FOLDER] [--peer-python PYTHON] [--only tiny,real,memory,gpu]

What is measured:

- tiny: tokens/s of the embedded model on `builtin:chat`, all weights, batches of 32, one thread;
- real: the same of a model folder (`--model`, such as SmolLM2-135M-Instruct), LoRA 32 on all linear
  layers, batches of 4 sequences of 32 to 288 tokens, two threads;
- memory: the most memory a step holds where logits are large, a vocabulary of 50,000 over 2 x 1024 tokens;
- gpu: tokens/s and MFU of `benchmarks.gpu`, held against what is kept in `benchmarks/baselines`.

Against whom: the flat script `benchmarks.reference.sft`, and TRL's SFTTrainer with packing on and off.
TRL is no dependency: `--peer-python` names an interpreter that has it,

    python -m venv trl && trl/bin/pip install torch==2.13.0
    trl/bin/pip install trl==1.16.0 transformers==5.23.0 peft==0.21.2 datasets==5.2.0 accelerate==1.15.0

and without it its rows are left out. All train the same tokens in float32 with the same AdamW and
clipping; how they take turns and what the intervals mean is told in `benchmarks.race`. Tokens are those
that are predicted: padding and the first token of an example don't count.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

from benchmarks import gpu, models
from benchmarks.contestants.jobs import Example, SupervisedJob
from benchmarks.figures import Row, figures, show
from benchmarks.race import race
from benchmarks.reference import sft
from kitchen_core import builtin

PARTS = ("tiny", "real", "memory", "gpu")
KITCHEN: dict[str, Sequence[str]] = {"kitchen": (sys.executable, "kitchen")}
FLAT: dict[str, Sequence[str]] = {"flat": (sys.executable, "flat")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a model folder for `real`")
    parser.add_argument("--peer-python", help="an interpreter that has TRL")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--keep-baseline", action="store_true", help="keep the GPU's figures")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only was given {', '.join(sorted(unknown))}; it knows {', '.join(PARTS)}")

    said, rows = [], list[Row]()
    peers = KITCHEN | FLAT | trl(given.peer_python)
    if not given.peer_python and {"tiny", "real"} & set(parts):
        said.append("TRL is left out: --peer-python names an interpreter that has it.")
    if "tiny" in parts:
        turns = race(tiny_job(), peers, rounds=given.rounds, steps=10, warm_up=10)
        rows += figures("tiny", turns)
    if "real" in parts and given.model:
        rounds = max(3, given.rounds // 4)
        turns = race(real_job(given.model), peers, rounds=rounds, steps=1, warm_up=1)
        rows += figures("real", turns)
    elif "real" in parts:
        said.append("The real model is left out: --model names its folder.")
    if "memory" in parts:
        rows += memory()
    outcome = gpu.measure(keep=given.keep_baseline) if "gpu" in parts else None

    said += [outcome.line] if outcome else []
    show("Supervised training", rows, said, as_json=given.json)
    if outcome and outcome.fell_behind:
        sys.exit(1)


def trl(python: str | None) -> dict[str, Sequence[str]]:
    """TRL's contestants, where there is an interpreter for them."""
    if python is None:
        return {}
    return {f"TRL {how}": (python, "trl_sft", how) for how in ("packed", "padded")}


def tiny_job() -> SupervisedJob:
    """The embedded model on the embedded conversations."""
    folder = builtin.model_folder("tiny")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = builtin.dataset_rows("chat", "train")
    examples = [Example(*sft.tokenize(tokenizer, row, max_length=1024)) for row in rows]
    return SupervisedJob(model=str(folder), examples=examples, batch_size=32)


def real_job(folder: Path) -> SupervisedJob:
    """A real model on sequences of mixed lengths, the second half of each trained.

    The tokens are drawn at random: what they are costs no time, and how many of them does.
    """
    vocabulary = models.vocabulary_of(folder)
    return SupervisedJob(
        model=str(folder),
        examples=drawn_examples(64, 32, 288, vocabulary),
        batch_size=4,
        lora_rank=32,
        threads=2,
    )


def memory() -> list[Row]:
    """Peak memory of two steps over large logits, each contestant in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        models.make_llama(Path(folder), vocabulary=50_000)
        examples = drawn_examples(4, 1024, 1024, 50_000)
        job = SupervisedJob(model=folder, examples=examples, batch_size=2)
        return [
            row
            for contestant in (KITCHEN, FLAT)
            for row in figures("memory", race(job, contestant, rounds=1, steps=1, warm_up=1))
        ]


def drawn_examples(count: int, shortest: int, longest: int, vocabulary: int) -> list[Example]:
    """Random sequences of random lengths, the same at every call."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(shortest, longest, size=count, endpoint=True).tolist()
    return [
        Example(draw.integers(vocabulary, size=n).tolist(), [i >= n // 2 for i in range(n)])
        for n in lengths
    ]


if __name__ == "__main__":
    main()
