"""TRL's SFTTrainer on the same tokens: `python -m benchmarks.contestants.trl_sft JOB.json packed|padded`.

`packed` lays examples end to end in sequences as long as a batch of the others
(`packing_strategy="bfd"`); `padded` takes the others' batch size.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from datasets import Dataset
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports]

from benchmarks.contestants import trl_common
from benchmarks.contestants.jobs import SupervisedJob


class Counting(SFTTrainer):
    """SFTTrainer that tells how many tokens its batches hold."""

    taking_turns: trl_common.TakingTurns

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


def compete(job: SupervisedJob, packed: bool) -> None:
    """Take steps for as long as they are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            **trl_common.settings(job, folder),
            packing=packed,
            max_length=max(job.max_length, job.tokens_a_step) if packed else job.max_length,
            per_device_train_batch_size=1 if packed else job.batch_size,
        )
        taking_turns = trl_common.TakingTurns()
        trainer = Counting(
            model=trl_common.model(job),
            args=config,
            train_dataset=_dataset(job),
            processing_class=AutoTokenizer.from_pretrained(job.model),
            peft_config=trl_common.lora(job),
            callbacks=[taking_turns],
        )
        trainer.taking_turns = taking_turns
        trainer.train()


def _dataset(job: SupervisedJob) -> Dataset:
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


if __name__ == "__main__":
    compete(SupervisedJob.read(), packed=sys.argv[2] == "packed")
