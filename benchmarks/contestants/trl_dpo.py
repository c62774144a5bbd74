"""TRL's DPOTrainer on the same pairs: `python -m benchmarks.contestants.trl_dpo JOB.json`.

What the reference says is computed before the first step (`precompute_ref_log_probs`).
"""

from __future__ import annotations

import tempfile
from typing import Any

from datasets import Dataset
from transformers import AutoTokenizer
from trl import DPOConfig, DPOTrainer  # pyright: ignore[reportMissingImports]

from benchmarks.contestants import trl_common
from benchmarks.contestants.jobs import PreferenceJob


class OnTokens(DPOTrainer):
    """DPOTrainer on pairs that are tokens already, and that counts them."""

    taking_turns: trl_common.TakingTurns

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **named: Any) -> Any:
        """Count, then train."""
        mask = inputs["attention_mask"]
        self.taking_turns.tokens += int(mask.sum()) - len(mask)
        self.taking_turns.items += len(mask) // 2
        return super().training_step(model, inputs, *args, **named)


def compete(job: PreferenceJob) -> None:
    """Take steps for as long as they are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        config = DPOConfig(
            **trl_common.settings(job, folder),
            per_device_train_batch_size=job.batch_size,
            precompute_ref_log_probs=True,
            precompute_ref_batch_size=job.batch_size,
            beta=job.beta,
            max_length=None,
            dataloader_drop_last=True,
        )
        taking_turns = trl_common.TakingTurns()
        trainer = OnTokens(
            model=trl_common.model(job),
            args=config,
            train_dataset=_dataset(job),
            processing_class=AutoTokenizer.from_pretrained(job.model),
            peft_config=trl_common.lora(job),
            callbacks=[taking_turns],
        )
        trainer.taking_turns = taking_turns
        trainer.train()


def _dataset(job: PreferenceJob) -> Dataset:
    return Dataset.from_list(
        [
            {"prompt_ids": pair.prompt, "chosen_ids": pair.chosen, "rejected_ids": pair.rejected}
            for pair in job.pairs
        ]
    )


if __name__ == "__main__":
    compete(PreferenceJob.read())
