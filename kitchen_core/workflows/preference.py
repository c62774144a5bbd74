"""Preference optimisation: learn which of two answers is better."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from kitchen_core.config import setting
from kitchen_core.stages.best import BeginBest, waited_long
from kitchen_core.stages.comparisons import BuildComparisons
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.pair_evaluation import EvaluatePairs, LogPairs
from kitchen_core.stages.preference import ForwardBackwardCustom, LogPairMetrics
from kitchen_core.stages.reference import ReferenceLogprobs
from kitchen_core.stages.samples import LogPairRows
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.stages.training import OptimStep
from kitchen_core.train.preference import PreferenceLoss
from kitchen_core.workflow.graph import Workflow, stage, stream
from kitchen_core.workflows.parts import between_steps, ending, measuring
from kitchen_core.workflows.training import TrainingConfig

_USED_BY: dict[str, tuple[PreferenceLoss, ...]] = {
    "reference_model": ("dpo", "ipo", "robust", "hinge", "kto"),
    "label_smoothing": ("dpo", "robust"),
    "length_normalized": ("dpo", "ipo", "robust", "hinge"),
    "simpo_margin": ("simpo",),
    "sft_coef": ("dpo", "ipo", "robust", "hinge", "simpo", "kto"),
}
"""The losses that look at each setting that not all of them look at."""


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
    eval_examples: int = setting(200, "Held-out pairs to measure on", unit="pairs", ge=1)
    best_metric: str = setting(
        "test/accuracy",
        "The metric that early_stopping_patience and keep_best go by, one that evaluations measure",
    )

    @model_validator(mode="after")
    def _settings_are_used(self) -> Self:
        for name, losses in _USED_BY.items():
            if self.is_changed(name) and self.loss not in losses:
                raise ValueError(
                    f"{name}={getattr(self, name)} is not looked at by loss={self.loss}; leave it out, "
                    f"or use one of {', '.join(losses)}"
                )
        return self

    @model_validator(mode="after")
    def _loss_has_what_it_needs(self) -> Self:
        if self.loss == "robust" and not self.label_smoothing:
            raise ValueError(
                "loss=robust makes up for flipped labels, but label_smoothing=0 says that there are none; "
                "set label_smoothing, or use loss=dpo"
            )
        if self.loss == "kto" and self.batch_size < 2:
            raise ValueError(
                "loss=kto measures the KL by other pairs' answers, but batch_size=1 has no others; "
                "raise batch_size"
            )
        return self


_measure = measuring(EvaluatePairs, LogPairRows, LogPairs)

preference = Workflow(
    name="preference",
    description="Learn from pairs of answers of which one is preferred, held to a reference.",
    config=PreferenceConfig,
    body=(
        stage(LoadDataset(rows="comparisons")),
        stage(InitSession()),
        stage(InitTokenizer()),
        stage(BuildComparisons()),
        stage(ReferenceLogprobs()),
        stage(BeginBest()),
        stream(
            "steps",
            stage(ForwardBackwardCustom()),
            stage(OptimStep()),
            stage(LogPairMetrics()),
            over="batches",
            item="batch",
            between=between_steps(_measure),
            until=waited_long("early_stopping_patience"),
            counts_steps=True,
        ),
        *ending(_measure),
    ),
)
