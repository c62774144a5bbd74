"""The flat script, `benchmarks.reference.sft`: what one would write for oneself."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import SupervisedJob, endlessly
from benchmarks.reference import sft


def compete(job: SupervisedJob) -> None:
    """Take steps for as long as they are asked for."""
    torch.set_num_threads(job.threads)
    model = with_lora(sft.load(Path(job.model)), job.lora_rank).to(job.device)
    batches = [[sft.Example(*example) for example in batch] for batch in job.batches()]
    tokens = cycle([sum(len(example.tokens) - 1 for example in batch) for batch in batches])
    turns = Turns()
    for _ in sft.train(model, endlessly(batches), job.learning_rate):
        turns.stepped(next(tokens))


def with_lora(model: nn.Module, rank: int) -> nn.Module:
    """The model with the adapter of the others, where one is trained."""
    if not rank:
        return model
    lora = LoraConfig(r=rank, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(cast("PreTrainedModel", model), lora)


if __name__ == "__main__":
    compete(SupervisedJob.read())
