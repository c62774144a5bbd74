"""What all training workflows share: what happens between two steps, and how a run ends."""

from __future__ import annotations

from collections.abc import Callable

from kitchen_core.stages.best import DropBest, RestoreBest, TrackBest, not_measured
from kitchen_core.stages.samples import LogAnswers
from kitchen_core.stages.saving import CheckFinal, Checkpoint, Register, SaveFinal
from kitchen_core.workflow.graph import Node, StageNode, every, is_set, stage, when
from kitchen_core.workflow.stage import Stage

Measuring = Callable[[], tuple[StageNode, ...]]
"""Places the stages of a measurement anew; a workflow has them between its steps and at its end."""


def measuring(evaluate: type[Stage], *logging: type[Stage]) -> Measuring:
    """A measurement: `evaluate`, then what it has to show, then whether it is the best so far."""
    kinds = (evaluate, *logging, LogAnswers, TrackBest)
    return lambda: tuple(stage(kind()) for kind in kinds)


def between_steps(measure: Measuring) -> tuple[Node, ...]:
    """A checkpoint, then a measurement, each when it is due."""
    return (
        when(every("save_every"), stage(Checkpoint())),
        when(every("eval_every", at_start=True), *measure()),
    )


def ending(measure: Measuring) -> tuple[Node, ...]:
    """The last weights measured, the best ones put back where asked for, the model stored and read back."""
    return (
        when(not_measured("eval_every"), *measure()),
        when(is_set("keep_best"), stage(RestoreBest())),
        stage(SaveFinal()),
        stage(CheckFinal()),
        when(is_set("keep_best"), stage(DropBest())),
        when(is_set("register_as"), stage(Register())),
    )
