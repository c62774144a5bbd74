"""Reinforcement beside its peers: `python -m benchmarks.reinforcement`.

    python -m benchmarks.reinforcement [--model FOLDER] [--peer-python PYTHON] [--only tiny,fixed,real]

What is measured, in completions a second: on-policy steps, from the questions to the changed weights.

- tiny: `builtin:tiny-sl`, which answers, on `builtin:math`, all weights, 16 questions with 8
  completions each of at most 16 tokens, one thread;
- fixed: the same, and every completion is 16 tokens long;
- real: a model folder (`--model`, such as SmolLM2-135M-Instruct), LoRA 32 on all linear layers, 4
  questions with 4 completions each of 32 tokens, two threads.

Against whom: TRL's GRPOTrainer with transformers' generation (`--peer-python`, see
`benchmarks.supervised`), and for `tiny` the flat script `benchmarks.reference.rl`. All sample at
temperature 1, call the same reward function on the completions' texts and take one AdamW step in
float32. The policy hardly moves, so that completions which end by themselves are as long on all
sides; tokens/s shows whether they were. For `fixed` and `real` no token ends a completion: the
kitchen is given a stop token that does not exist, and TRL `min_new_tokens`. How they take turns and
what the intervals mean is told in `benchmarks.race`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants.jobs import ReinforcementJob
from benchmarks.figures import KITCHEN, Row, figures, show
from benchmarks.race import race
from kitchen_core import builtin

PARTS = ("tiny", "fixed", "real")


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
    contestants: dict[str, Sequence[str]] = {KITCHEN: (sys.executable, "kitchen_rl")}
    if given.peer_python:
        contestants["TRL"] = (given.peer_python, "trl_grpo")
    else:
        said.append("TRL is left out: --peer-python names an interpreter that has it.")
    for part in ("tiny", "fixed"):
        if part in parts:
            job = tiny_job(ends=part == "tiny")
            flat = {"flat": (sys.executable, "flat_rl")} if job.ends else {}
            turns = race(job, contestants | flat, rounds=given.rounds, steps=5, warm_up=3)
            rows += figures(part, turns, "items")
    if "real" in parts and given.model:
        rounds = max(3, given.rounds // 4)
        turns = race(real_job(given.model), contestants, rounds=rounds, steps=1, warm_up=1)
        rows += figures("real", turns, "items")
    elif "real" in parts:
        said.append("The real model is left out: --model names its folder.")
    show("Reinforcement", rows, said, items="completions", as_json=given.json)


def tiny_job(*, ends: bool) -> ReinforcementJob:
    """The embedded model that answers, on the embedded sums."""
    return ReinforcementJob(
        model=str(builtin.model_folder("tiny-sl")),
        questions=questions(),
        prompts_a_step=16,
        group=8,
        max_tokens=16,
        ends=ends,
    )


def real_job(folder: Path) -> ReinforcementJob:
    """A real model on the same sums."""
    return ReinforcementJob(
        model=str(folder),
        questions=questions(),
        prompts_a_step=4,
        group=4,
        max_tokens=32,
        ends=False,
        lora_rank=32,
        threads=2,
    )


def questions() -> list[str]:
    """What is asked."""
    return [row["question"] for row in builtin.dataset_rows("math", "train")]


if __name__ == "__main__":
    main()
