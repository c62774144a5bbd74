"""What the contestants that use TRL have in common. TRL is no dependency of the project and runs in an
environment of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, PreTrainedModel, TrainerCallback

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import ENDLESS, Job


class TakingTurns(TrainerCallback):
    """Answers after each optimizer step, with what was counted since the last."""

    def __init__(self) -> None:
        self.tokens = 0
        self.items = 0
        self._turns: Turns | None = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Loaded: wait for the first request."""
        self._turns = Turns()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Tell what the step held."""
        assert self._turns is not None
        tokens, items = self.tokens, self.items
        self.tokens = self.items = 0
        self._turns.stepped(tokens, items=items)


def settings(job: Job, folder: str) -> dict[str, Any]:
    """What a trainer is told: AdamW and clipping as the others have them, and nothing beside the
    training: no gradient checkpointing, logs, reports or checkpoints.
    """
    return {
        "output_dir": folder,
        "gradient_checkpointing": False,
        "max_steps": ENDLESS,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "adam_beta2": 0.95,
        "max_grad_norm": 1.0,
        "bf16": job.device == "cuda",
        "use_cpu": job.device == "cpu",
        "dataloader_pin_memory": job.device == "cuda",
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


def model(job: Job) -> PreTrainedModel:
    """The job's model in float32, on as many threads as it says."""
    torch.set_num_threads(job.threads)
    return AutoModelForCausalLM.from_pretrained(job.model, dtype=torch.float32)


def lora(job: Job) -> LoraConfig | None:
    """The job's adapter, if it trains one."""
    if not job.lora_rank:
        return None
    return LoraConfig(
        r=job.lora_rank, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"
    )
