"""Distillation: learn from what another model would say."""

from __future__ import annotations

from typing import Literal

from kitchen_core.config import setting
from kitchen_core.workflows.training import TrainingConfig


class DistillationConfig(TrainingConfig):
    """What a distillation run can be told."""

    dataset: str = setting("builtin:prompts", "The prompts, as a ref", ref="dataset")
    teacher: str | None = setting(
        None,
        "The model to learn from, as a ref; left out: the model itself as it starts",
        ref="model",
    )
    mix_teachers: dict[str, float] = setting(
        {}, "Other teachers: a ref and its weight, for each 1 of `teacher`", ref="model"
    )
    llm_teacher: str | None = setting(
        None, "A model behind the llm port that answers the prompts in the teacher's place"
    )
    teacher_prompt: str | None = setting(
        None,
        "What the teacher alone reads in place of the question, with {question} and {answer} filled in",
    )
    mode: Literal["on_policy", "off_policy"] = setting(
        "on_policy",
        "on_policy: the student answers and the teacher scores it; off_policy: the teacher answers",
    )
    kl: Literal["auto", "exact", "sampled"] = setting(
        "auto",
        "on_policy: over the whole vocabulary, or at the sampled tokens; auto: exact where it can be",
    )
    kl_penalty_coef: float = setting(1.0, "Weight of the distance from the teacher", gt=0, le=100)
    kl_discount_factor: float = setting(
        0.0, "sampled: how far back a later token's distance counts; 0: not at all", ge=0, le=1
    )
    top_k_targets: int = setting(
        0,
        "off_policy: the teacher's likeliest tokens at each place as targets; 0: what it said",
        ge=0,
    )
    groups_per_batch: int = setting(64, "Prompts in one step", unit="prompts", ge=1)
    group_size: int = setting(1, "Answers to each prompt", unit="answers", ge=1)
