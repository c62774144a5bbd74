"""Reinforcement learning: answer, be graded, and do more of what was worth more."""

from __future__ import annotations

from typing import Literal

from kitchen_core.config import MixedSet, setting
from kitchen_core.workflows.training import TrainingConfig

PolicyLoss = Literal["importance_sampling", "ppo", "cispo", "gspo", "reinforce"]
Advantage = Literal["group_mean", "group_std", "leave_one_out", "gae"]
Normalization = Literal["sum", "grpo", "dapo", "dr_grpo"]


class MixedProblems(MixedSet):
    """Problems mixed in beside the main ones. env: their environment; left out: that of the dataset."""

    env: str | None = setting(None, "The environment of these problems")


class ReinforcementConfig(TrainingConfig):
    """What a reinforcement run can be told."""

    dataset: str = setting("builtin:math", "The problems, as a ref", ref="dataset")
    mix: dict[str, MixedProblems] = setting(  # type: ignore[assignment]  # a mapping is invariant
        {},
        "Other problems mixed in: a ref and its share, in problems for each one of `dataset`",
        ref="dataset",
    )
    env: str = setting("math", "What an answer is worth: the environment of the problems")
    reward_weights: dict[str, float] = setting(
        {}, "Weights of the parts of the reward by name, over the environment's own"
    )
    groups_per_batch: int = setting(16, "Problems in one step", unit="problems", ge=1)
    group_size: int = setting(8, "Episodes of each problem", unit="episodes", ge=1)
    num_substeps: int = setting(1, "Optimizer steps that a batch is split into", ge=1)
    max_turns: int = setting(8, "Answers in one episode at most", unit="answers", ge=1)
    loss: PolicyLoss = setting("importance_sampling", "How a step follows the advantages")
    clip_low: float | None = setting(
        None,
        "Lower bound of the ratio; left out: the loss's own (ppo 0.8, cispo 0, gspo 0.9997)",
        ge=0,
    )
    clip_high: float | None = setting(
        None,
        "Upper bound of the ratio; left out: the loss's own (ppo 1.2, cispo 4, gspo 1.0004)",
        gt=0,
    )
    advantage: Advantage = setting(
        "group_mean", "What a reward is compared with; group_std also divides by the spread"
    )
    gae_lambda: float = setting(0.95, "How far gae looks ahead, in turns", ge=0, le=1)
    discount: float = setting(1.0, "What a reward a turn later is worth, for gae", ge=0, le=1)
    normalization: Normalization = setting(
        "sum", "How token losses add up: sum (as Tinker), a mean by grpo, dapo or dr_grpo"
    )
    kl_penalty_coef: float = setting(
        0.0, "Weight of the distance from the reference, taken off the advantages", ge=0, le=100
    )
    kl_discount_factor: float = setting(
        0.0, "How far back a later token's distance counts; 0: not at all", ge=0, le=1
    )
    kl_reference: str | None = setting(
        None, "The model that the policy is held against; left out: the model itself", ref="model"
    )
    remove_constant_groups: bool = setting(
        True, "Leave out problems all of whose episodes earned the same"
    )
    resample_rounds: int = setting(
        0,
        "Rounds of further problems sampled in place of those left out",
        unit="rounds",
        ge=0,
        le=100,
    )
    max_steps_off_policy: int = setting(
        0, "Steps that the weights which sample may be behind; 0: none", unit="steps", ge=0, le=1000
    )
    off_policy: Literal["auto", "exact", "free"] = setting(
        "auto",
        "exact: always as far behind as allowed, the same bytes from the same seed; free: whenever "
        "there is time; auto: exact on a CPU or where deterministic is set",
    )
    best_metric: str = setting(
        "test/env/all/reward/total",
        "The metric that early_stopping_patience and keep_best go by, one that evaluations measure",
    )
