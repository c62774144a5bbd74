"""What the configs of all training workflows have in common: data, optimizer, measuring, the best model."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, field_validator, model_validator

from kitchen_core.config import MixedSet, RunConfig, setting
from kitchen_core.train.best import BestIs
from kitchen_core.train.naming import nearest
from kitchen_core.train.renderers import renderer_names
from kitchen_core.train.schedules import LrSchedule


def with_renderers(schema: dict[str, Any]) -> None:
    """Name the renderers in the JSON schema; a recipe may have registered some."""
    schema["properties"]["renderer"]["enum"] = list(renderer_names())


class TrainingConfig(RunConfig):
    """What every run that trains a model can be told."""

    model_config = ConfigDict(json_schema_extra=with_renderers)

    test_dataset: str | None = setting(
        None, "Data to measure on; left out: the dataset's own, or a part held out", ref="dataset"
    )
    mix: dict[str, MixedSet] = setting(
        {},
        "Other data mixed in: a ref and its share, in examples for each one of `dataset`",
        ref="dataset",
    )
    fields: dict[str, str] = setting(
        {}, "Where the dataset's columns are named differently: the schema's field to the column"
    )
    renderer: str = setting(
        "auto", "How conversations are spelled; auto takes the model's own chat template"
    )
    test_fraction: float = setting(
        0.1, "Part of the rows held out where the data brings no test set", ge=0, lt=1
    )
    max_steps: int | None = setting(None, "Stop after so many steps", unit="steps", ge=1)
    num_epochs: int = setting(1, "Passes over the data", ge=1)
    max_length: int = setting(
        1024,
        "Longer conversations are cut at the end, longer plain texts into several examples",
        unit="tokens",
        ge=2,
    )
    lr_schedule: LrSchedule = setting("linear", "How the learning rate goes from its peak")
    warmup_steps: int = setting(0, "Steps over which the learning rate rises", unit="steps", ge=0)
    min_lr_ratio: float = setting(
        0.0,
        "Where the schedule ends, as a part of the peak; linear and cosine go down to it",
        ge=0,
        le=1,
    )
    weight_decay: float = setting(0.0, "Decoupled weight decay of AdamW", ge=0, le=10)
    grad_clip_norm: float = setting(1.0, "Clip the gradient at this norm; 0: never", ge=0)
    eval_every: int = setting(
        50, "Measure every so many steps, at the start and at the end; 0: never", unit="steps", ge=0
    )
    eval_samples: int = setting(
        200, "Held-out questions to answer when measuring; 0: the loss alone", unit="answers", ge=0
    )
    best_metric: str = setting(
        "test/nll",
        "The metric that early_stopping_patience and keep_best go by, one that evaluations measure",
    )
    best_is: BestIs = setting(
        "auto", "Which end of it is good; auto: losses and errors lowest, everything else highest"
    )
    early_stopping_patience: int = setting(
        0, "Stop after so many measurements without a better one; 0: never", ge=0
    )
    keep_best: bool = setting(False, "End with the best measured weights rather than the last")
    max_tokens: int = setting(64, "Longest answer sampled", unit="tokens", ge=1, le=1_000_000)
    temperature: float = setting(1.0, "Temperature of sampled answers", ge=0, le=100)
    log_samples: int = setting(
        4, "Samples of each kind recorded at each measurement", unit="of each", ge=0
    )

    def is_changed(self, name: str) -> bool:
        """Whether a setting has another value than its default: one that would have no effect is then
        refused.
        """
        return getattr(self, name) != type(self).model_fields[name].default

    @field_validator("renderer")
    @classmethod
    def _is_registered(cls, name: str) -> str:
        if name not in renderer_names():
            known = ", ".join(renderer_names())
            raise ValueError(f"one of {known}{nearest(name, renderer_names())}")
        return name

    @model_validator(mode="after")
    def _test_data_is_used(self) -> Self:
        if self.test_dataset and not self.eval_every:
            raise ValueError(
                f"test_dataset={self.test_dataset} is there to measure on, but eval_every=0 measures "
                "nothing; set eval_every"
            )
        return self

    @model_validator(mode="after")
    def _best_is_measured(self) -> Self:
        for name in ("keep_best", "early_stopping_patience"):
            value = getattr(self, name)
            goes_by = f"{name}={value} goes by {self.best_metric}, but"
            if value and not self.eval_every:
                raise ValueError(f"{goes_by} eval_every=0 measures nothing; set eval_every")
            if value and "exact_match" in self.best_metric and not self.eval_samples:
                raise ValueError(f"{goes_by} eval_samples=0 asks nothing; set eval_samples")
        return self

    @model_validator(mode="after")
    def _floor_has_a_schedule(self) -> Self:
        if self.min_lr_ratio and self.lr_schedule == "constant":
            raise ValueError(
                f"min_lr_ratio={self.min_lr_ratio:g} is where a schedule ends, but "
                "lr_schedule=constant stays at its peak; use linear or cosine"
            )
        return self
