"""Preference optimisation: learn which of two answers is better."""

from __future__ import annotations

from typing import Literal

from kitchen_core.config import setting
from kitchen_core.workflows.training import TrainingConfig

PreferenceLoss = Literal["dpo", "ipo", "robust", "hinge", "simpo", "orpo", "kto"]


class PreferenceConfig(TrainingConfig):
    """What a preference run can be told."""

    dataset: str = setting("builtin:preferences", "Pairs of answers, as a ref", ref="dataset")
    batch_size: int = setting(32, "Pairs in one optimizer step", unit="pairs", ge=1)
    reference_model: str | None = setting(
        None, "The model that the policy is held against; left out: the model itself", ref="model"
    )
    loss: PreferenceLoss = setting("dpo", "What is made of the two answers' log-probabilities")
    dpo_beta: float = setting(
        0.1,
        "How strongly the policy is held to the reference; the scale of the reward",
        gt=0,
        le=100,
    )
    label_smoothing: float = setting(
        0.0, "The share of pairs that are taken to be labelled the wrong way round", ge=0, lt=0.5
    )
    length_normalized: bool = setting(
        False, "Compare log-probabilities a token rather than of whole answers"
    )
    simpo_margin: float = setting(0.5, "The margin that simpo asks for (gamma)", ge=0, le=100)
    sft_coef: float = setting(
        0.0, "Weight of the cross entropy of the chosen answers, added to the loss", ge=0, le=100
    )
