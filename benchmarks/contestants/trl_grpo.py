"""TRL's GRPOTrainer on the same questions: `python -m benchmarks.contestants.trl_grpo JOB.json`.

It generates with transformers. Advantages are over the group's mean and not scaled, there is no KL
term, and one update a generation, so that its ratio is that of importance sampling.
"""

from __future__ import annotations

import tempfile
from typing import Any

from datasets import Dataset
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer  # pyright: ignore[reportMissingImports]

from benchmarks.contestants import trl_common
from benchmarks.contestants.jobs import ReinforcementJob, reward


def compete(job: ReinforcementJob) -> None:
    """Take steps for as long as they are asked for."""
    taking_turns = trl_common.TakingTurns()

    def rewards(
        completions: list[list[dict[str, str]]], completion_ids: list[list[int]], **_: Any
    ) -> list[float]:
        taking_turns.tokens += sum(map(len, completion_ids))
        taking_turns.items += len(completions)
        return [reward(message["content"]) for [message] in completions]

    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=trl_common.model(job),
            reward_funcs=rewards,
            args=GRPOConfig(
                **trl_common.settings(job, folder),
                per_device_train_batch_size=job.prompts_a_step * job.group,
                num_generations=job.group,
                max_completion_length=job.max_tokens,
                generation_kwargs=None if job.ends else {"min_new_tokens": job.max_tokens},
                temperature=1.0,
                scale_rewards="none",
                shuffle_dataset=False,
            ),
            train_dataset=_dataset(job),
            processing_class=AutoTokenizer.from_pretrained(job.model),
            peft_config=trl_common.lora(job),
            callbacks=[taking_turns],
        )
        trainer.train()


def _dataset(job: ReinforcementJob) -> Dataset:
    """Whole batches, as the others take them."""
    questions = [question for batch in job.batches() for question in batch]
    return Dataset.from_list(
        [{"prompt": [{"role": "user", "content": question}]} for question in questions]
    )


if __name__ == "__main__":
    compete(ReinforcementJob.read())
