"""The flat script, `benchmarks.reference.dpo`: what one would write for oneself."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.contestants import Turns
from benchmarks.contestants.flat import with_lora
from benchmarks.contestants.jobs import Pair, PreferenceJob
from benchmarks.reference import dpo

STEPS = 500
"""As many as it can be asked for: what its reference says of them is computed before the first."""


def compete(job: PreferenceJob) -> None:
    """Take steps for as long as they are asked for."""
    torch.set_num_threads(job.threads)
    model = with_lora(dpo.load(Path(job.model)), job.lora_rank)
    batches = [[_pair(pair) for pair in batch] for batch in job.batches()]
    asked = [batches[step % len(batches)] for step in range(STEPS)]
    turns: Turns | None = None
    for batch, _ in zip(
        asked, dpo.train(model, asked, job.learning_rate, beta=job.beta), strict=True
    ):
        if turns is None:  # the first step came with the reference's work
            turns = Turns()
            continue
        sides = [side for pair in batch for side in pair]
        turns.stepped(sum(len(side.tokens) - 1 for side in sides), items=len(batch))


def _pair(pair: Pair) -> dpo.Pair:
    chosen, rejected = (
        dpo.Side(pair.prompt + answer, [False] * len(pair.prompt) + [True] * len(answer))
        for answer in (pair.chosen, pair.rejected)
    )
    return dpo.Pair(chosen, rejected)


if __name__ == "__main__":
    compete(PreferenceJob.read())
