"""Supervised fine-tuning: learn to answer as the demonstrations do."""

from __future__ import annotations

from kitchen_core.config import MixedSet, RunConfig, setting
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.datums import BuildDatums
from kitchen_core.stages.evaluation import Evaluate
from kitchen_core.stages.samples import LogSamples
from kitchen_core.stages.saving import Checkpoint, Register, SaveFinal
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.stages.training import ForwardBackward, LogMetrics, OptimStep
from kitchen_core.train.datums import Reduction
from kitchen_core.train.renderers import TrainOnWhat
from kitchen_core.train.schedules import LrSchedule
from kitchen_core.workflow.graph import Workflow, every, is_set, stage, stream, when


class SupervisedConfig(RunConfig):
    """What a supervised run can be told."""

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
    max_length: int = setting(1024, "Longer examples are cut at the end", unit="tokens", ge=2)
    learning_rate: float = setting(1e-4, "Peak learning rate", gt=0, le=1)
    lr_schedule: LrSchedule = setting("linear", "How the learning rate goes from its peak")
    warmup_steps: int = setting(0, "Steps over which the learning rate rises", unit="steps", ge=0)
    weight_decay: float = setting(0.0, "Decoupled weight decay of AdamW", ge=0, le=10)
    grad_clip_norm: float = setting(1.0, "Clip the gradient at this norm; 0: never", ge=0)
    reduction: Reduction = setting(
        "token", "What counts the same in a batch: every trained token, or every example"
    )
    eval_every: int = setting(
        50, "Measure every so many steps, at the start and at the end; 0: never", unit="steps", ge=0
    )
    eval_examples: int = setting(200, "Held-out examples to measure on", unit="examples", ge=1)
    max_tokens: int = setting(
        64, "Longest answer sampled when measuring", unit="tokens", ge=1, le=1_000_000
    )
    temperature: float = setting(1.0, "Temperature of sampled answers when measuring", ge=0, le=100)
    log_samples: int = setting(
        4, "Training rows, and answers, recorded at each measurement", unit="of each", ge=0
    )


supervised = Workflow(
    name="supervised",
    description="Learn from demonstrations by cross entropy on the assistant's tokens.",
    config=SupervisedConfig,
    body=(
        stage(LoadDataset()),
        stage(InitSession()),
        stage(InitTokenizer()),
        stage(BuildDatums()),
        stream(
            "steps",
            when(every("eval_every", at_start=True), stage(Evaluate()), stage(LogSamples())),
            stage(ForwardBackward()),
            stage(OptimStep()),
            stage(LogMetrics()),
            over="batches",
            item="batch",
            between=(when(every("save_every"), stage(Checkpoint())),),
            counts_steps=True,
        ),
        when(is_set("eval_every"), stage(Evaluate()), stage(LogSamples())),
        stage(SaveFinal()),
        when(is_set("register_as"), stage(Register())),
    ),
)
