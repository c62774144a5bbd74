"""Supervised fine-tuning: learn to answer as the demonstrations do."""

from __future__ import annotations

from kitchen_core.config import setting
from kitchen_core.stages.best import BeginBest, waited_long
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.datums import BuildDatums
from kitchen_core.stages.evaluation import Evaluate
from kitchen_core.stages.samples import LogRows
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.stages.training import ForwardBackward, LogMetrics, OptimStep
from kitchen_core.train.datums import Reduction
from kitchen_core.train.renderers import TrainOnWhat
from kitchen_core.workflow.graph import Workflow, stage, stream
from kitchen_core.workflows.parts import between_steps, ending, measuring
from kitchen_core.workflows.training import TrainingConfig


class SupervisedConfig(TrainingConfig):
    """What a supervised run can be told."""

    train_on: TrainOnWhat = setting("all_assistant_messages", "Which tokens are trained")
    batch_size: int = setting(32, "Examples in one optimizer step", unit="examples", ge=1)
    reduction: Reduction = setting(
        "token", "What counts the same in a batch: every trained token, or every example"
    )
    eval_examples: int = setting(
        200, "Held-out examples to measure the loss on", unit="examples", ge=1
    )


_measure = measuring(Evaluate, LogRows)

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
            between=between_steps(_measure),
            until=waited_long("early_stopping_patience"),
            counts_steps=True,
        ),
        *ending(_measure),
    ),
)
