"""The flat script, `benchmarks.reference.sft`: what one would write for oneself."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from benchmarks.contestants import Job, Turns, read_job
from benchmarks.reference import sft

ENDLESS = 1_000_000  # steps: more than a benchmark asks for


def compete(job: Job) -> None:
    """Take steps for as long as they are asked for."""
    torch.set_num_threads(job.threads)
    model = _with_lora(sft.load(Path(job.model)), job.lora_rank).to(job.device)
    batches = [[sft.Example(*example) for example in batch] for batch in job.batches()]
    tokens = cycle([sum(len(example.tokens) - 1 for example in batch) for batch in batches])
    endless = list(islice(cycle(batches), ENDLESS))
    turns = Turns()
    for _ in sft.train(model, endless, job.learning_rate):
        turns.stepped(next(tokens))


def _with_lora(model: nn.Module, rank: int) -> nn.Module:
    if not rank:
        return model
    lora = LoraConfig(r=rank, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(cast("PreTrainedModel", model), lora)


if __name__ == "__main__":
    compete(read_job())
