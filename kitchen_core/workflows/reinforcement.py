"""Reinforcement learning: answer, be graded, and do more of what was worth more."""

from __future__ import annotations

from kitchen_core.stages.advantages import AssembleBatch, ComputeAdvantages
from kitchen_core.stages.best import BeginBest, waited_long
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.env_evaluation import EvaluateEnvs
from kitchen_core.stages.kl_reference import LoadReference
from kitchen_core.stages.learning_log import LogReinforcement, LogRollouts
from kitchen_core.stages.problems import BuildEnvGroups
from kitchen_core.stages.rollouts import MakeBuffer, Rollout, TakePolicy
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.stages.substeps import Substeps
from kitchen_core.workflow.context import RunContext
from kitchen_core.workflow.graph import (
    Predicate,
    Workflow,
    async_loop,
    every,
    number_of,
    stage,
    when,
)
from kitchen_core.workflows.parts import between_steps, ending, measuring
from kitchen_core.workflows.reinforcement_config import ReinforcementConfig


def _is_exact(ctx: RunContext) -> bool:
    """Whether a batch is always sampled as far behind as allowed, however fast anything is."""
    config: ReinforcementConfig = ctx.config  # type: ignore[assignment]
    if config.off_policy == "auto":
        return config.device != "cuda" or config.deterministic
    return config.off_policy == "exact"


_measure = measuring(EvaluateEnvs)

reinforcement = Workflow(
    name="reinforcement",
    description="Answer problems, be graded, and do more of what was worth more.",
    config=ReinforcementConfig,
    body=(
        stage(LoadDataset()),
        stage(InitSession()),
        stage(InitTokenizer()),
        stage(BuildEnvGroups()),
        stage(LoadReference()),
        stage(MakeBuffer()),
        stage(BeginBest()),
        async_loop(
            "steps",
            stage(ComputeAdvantages()),
            stage(AssembleBatch()),
            stage(Substeps()),
            stage(LogReinforcement()),
            when(every("eval_every", at_start=True), stage(LogRollouts())),
            over="batches",
            item="batch",
            product="rollouts",
            buffer="waiting",
            begin=(stage(TakePolicy()),),
            producer=(stage(Rollout()),),
            lag=number_of("max_steps_off_policy"),
            exact=Predicate("off_policy is exact", _is_exact),
            between=between_steps(_measure),
            until=waited_long("early_stopping_patience"),
        ),
        *ending(_measure),
    ),
)
