"""TRL's SFTTrainer on the same tokens: `python -m benchmarks.contestants.trl_sft JOB.json packed|padded`.

It is no dependency of the project and runs in an environment of its own. Gradient checkpointing is off,
precision, optimizer, clipping and adapter are those of the others. `packed` lays examples end to
end in sequences as long as a batch of the others (`packing_strategy="bfd"`); `padded` takes the others'
batch size.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports]

from benchmarks.contestants import Job, Turns, read_job

ENDLESS = 1_000_000  # steps: more than a benchmark asks for


class TakingTurns(TrainerCallback):
    """Answers after each optimizer step."""

    def __init__(self) -> None:
        self.tokens = 0
        self._turns: Turns | None = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Loaded: wait for the first request."""
        self._turns = Turns()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Tell what the step held."""
        assert self._turns is not None
        tokens, self.tokens = self.tokens, 0
        self._turns.stepped(tokens)


class Counting(SFTTrainer):
    """SFTTrainer that tells how many tokens its batches hold."""

    taking_turns: TakingTurns

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **named: Any) -> Any:
        """Count, then train."""
        self.taking_turns.tokens += _predictions(inputs)
        return super().training_step(model, inputs, *args, **named)


def _predictions(inputs: dict[str, Any]) -> int:
    """Tokens that follow another one of their example; padding and first tokens don't count."""
    if "position_ids" in inputs:
        return int((inputs["position_ids"] > 0).sum())
    mask = inputs["attention_mask"]
    return int(mask.sum()) - len(mask)


def compete(job: Job, packed: bool) -> None:
    """Take steps for as long as they are asked for."""
    torch.set_num_threads(job.threads)
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            packing=packed,
            max_length=max(job.max_length, job.tokens_a_step) if packed else job.max_length,
            per_device_train_batch_size=1 if packed else job.batch_size,
            gradient_checkpointing=False,
            max_steps=ENDLESS,
            learning_rate=job.learning_rate,
            lr_scheduler_type="constant",
            optim="adamw_torch_fused",
            adam_beta2=0.95,
            max_grad_norm=1.0,
            bf16=job.device == "cuda",
            use_cpu=job.device == "cpu",
            dataloader_pin_memory=job.device == "cuda",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        taking_turns = TakingTurns()
        trainer = Counting(
            model=AutoModelForCausalLM.from_pretrained(job.model, dtype=torch.float32),
            args=settings,
            train_dataset=_dataset(job),
            processing_class=AutoTokenizer.from_pretrained(job.model),
            peft_config=_lora(job.lora_rank),
            callbacks=[taking_turns],
        )
        trainer.taking_turns = taking_turns
        trainer.train()


def _dataset(job: Job) -> Dataset:
    return Dataset.from_list(
        [
            {
                "input_ids": example.tokens,
                "labels": [
                    token if trained else -100
                    for token, trained in zip(example.tokens, example.trained, strict=True)
                ],
            }
            for example in job.examples
        ]
    )


def _lora(rank: int) -> LoraConfig | None:
    if not rank:
        return None
    return LoraConfig(r=rank, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")


if __name__ == "__main__":
    compete(read_job(), packed=sys.argv[2] == "packed")
