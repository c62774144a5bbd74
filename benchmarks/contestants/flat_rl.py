"""The flat script, `benchmarks.reference.rl`: what one would write for oneself. Its completions end by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import ReinforcementJob, reward
from benchmarks.reference import rl, sft


def compete(job: ReinforcementJob) -> None:
    """Take steps for as long as they are asked for."""
    torch.set_num_threads(job.threads)
    model = sft.load(Path(job.model))
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    turns = Turns()
    tokens = 0

    def batches() -> Iterator[rl.Batch]:
        nonlocal tokens
        asked = job.batches()
        for step in count():
            problems = [{"question": each, "answer": ""} for each in asked[step % len(asked)]]
            sampled = rl.sample(model, tokenizer, problems, job.group, job.max_tokens)
            tokens = sum(len(episode.turns[0].answer) for group in sampled for episode in group)
            yield [[_rewarded(tokenizer, episode) for episode in group] for group in sampled]

    for _ in rl.train(model, batches(), job.learning_rate):
        turns.stepped(tokens, items=job.prompts_a_step * job.group)


def _rewarded(tokenizer: Any, episode: rl.Episode) -> rl.Episode:
    [turn] = episode.turns
    return rl.Episode([turn], reward(tokenizer.decode(turn.answer, skip_special_tokens=True)))


if __name__ == "__main__":
    compete(ReinforcementJob.read())
