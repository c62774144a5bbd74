"""Supervised fine-tuning: learn to answer as the demonstrations do."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, field_validator, model_validator

from kitchen_core.config import MixedSet, RunConfig, setting
from kitchen_core.stages.best import (
    BeginBest,
    DropBest,
    RestoreBest,
    TrackBest,
    not_measured,
    waited_long,
)
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.datums import BuildDatums
from kitchen_core.stages.evaluation import Evaluate
from kitchen_core.stages.samples import LogSamples
from kitchen_core.stages.saving import CheckFinal, Checkpoint, Register, SaveFinal
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.stages.training import ForwardBackward, LogMetrics, OptimStep
from kitchen_core.train.best import BestIs
from kitchen_core.train.datums import Reduction
from kitchen_core.train.naming import nearest
from kitchen_core.train.renderers import TrainOnWhat, renderer_names
from kitchen_core.train.schedules import LrSchedule
from kitchen_core.workflow.graph import (
    StageNode,
    Workflow,
    every,
    is_set,
    stage,
    stream,
    when,
)


def _with_renderers(schema: dict[str, Any]) -> None:
    """Name the renderers in the JSON schema; a recipe may have registered some."""
    schema["properties"]["renderer"]["enum"] = list(renderer_names())


class SupervisedConfig(RunConfig):
    """What a supervised run can be told."""

    model_config = ConfigDict(json_schema_extra=_with_renderers)

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
    train_on: TrainOnWhat = setting("all_assistant_messages", "Which tokens are trained")
    test_fraction: float = setting(
        0.1, "Part of the rows held out where the data brings no test set", ge=0, lt=1
    )
    max_steps: int | None = setting(None, "Stop after so many steps", unit="steps", ge=1)
    num_epochs: int = setting(1, "Passes over the data", ge=1)
    batch_size: int = setting(32, "Examples in one optimizer step", unit="examples", ge=1)
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
    reduction: Reduction = setting(
        "token", "What counts the same in a batch: every trained token, or every example"
    )
    eval_every: int = setting(
        50, "Measure every so many steps, at the start and at the end; 0: never", unit="steps", ge=0
    )
    eval_examples: int = setting(
        200, "Held-out examples to measure the loss on", unit="examples", ge=1
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
    max_tokens: int = setting(
        64, "Longest answer sampled when measuring", unit="tokens", ge=1, le=1_000_000
    )
    temperature: float = setting(1.0, "Temperature of sampled answers when measuring", ge=0, le=100)
    log_samples: int = setting(
        4, "Training rows, and answers, recorded at each measurement", unit="of each", ge=0
    )

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


def _measure() -> tuple[StageNode, ...]:
    return stage(Evaluate()), stage(LogSamples()), stage(TrackBest())


supervised = Workflow(
    name="supervised",
    description="Learn from demonstrations by cross entropy on the assistant's tokens.",
    config=SupervisedConfig,
    body=(
        stage(LoadDataset()),
        stage(InitSession()),
        stage(InitTokenizer()),
        stage(BuildDatums()),
        stage(BeginBest()),
        stream(
            "steps",
            stage(ForwardBackward()),
            stage(OptimStep()),
            stage(LogMetrics()),
            over="batches",
            item="batch",
            between=(
                when(every("save_every"), stage(Checkpoint())),
                when(every("eval_every", at_start=True), *_measure()),
            ),
            until=waited_long("early_stopping_patience"),
            counts_steps=True,
        ),
        when(not_measured("eval_every"), *_measure()),
        when(is_set("keep_best"), stage(RestoreBest())),
        stage(SaveFinal()),
        stage(CheckFinal()),
        when(is_set("keep_best"), stage(DropBest())),
        when(is_set("register_as"), stage(Register())),
    ),
)
