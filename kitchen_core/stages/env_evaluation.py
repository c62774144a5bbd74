"""Measuring a policy on held-out problems: what its answers are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from kitchen_core.stages.evaluation import Answer
from kitchen_core.stages.problems import HeldOutProblems
from kitchen_core.stages.roller import Roller
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.environments import EnvGroupBuilder
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.rl.metrics import GOOD, episode_metrics, error_metrics, reward_parts
from kitchen_core.train.trajectories import TrajectoryGroup
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


class EvaluateEnvs(Stage):
    """Answer every held-out problem once, sampled and greedily, and say what that was worth."""

    name = "EvaluateEnvs"
    reads = ("session", "renderer", "held_out")
    writes = MappingProxyType({"answers": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `answers`: list[Answer], sampled at the config's temperature. Metrics are those of a
        step under `test/` and, greedy, `test/greedy/`.
        """
        held_out: HeldOutProblems = ctx.state["held_out"]
        sampled = await self._episodes(ctx, held_out.groups)
        greedy = await self._episodes(ctx, held_out.groups, temperature=0.0)
        measured = {
            **{f"test/{name}": value for name, value in measures(sampled).items()},
            **{f"test/greedy/{name}": value for name, value in measures(greedy).items()},
        }
        ctx.telemetry.metrics(ctx.step, measured)
        ctx.event(EventKind.EVAL_COMPLETED, {**measured, "n": len(held_out.groups)})
        ctx.state["answers"] = _answers(ctx, held_out.groups, sampled)

    async def _episodes(
        self,
        ctx: StageContext,
        problems: Sequence[EnvGroupBuilder],
        temperature: float | None = None,
    ) -> list[TrajectoryGroup]:
        """One episode of each problem."""
        session: TrainingSession = ctx.state["session"]
        roller = Roller(ctx, session.sampler("live"), temperature)
        return await roller.roll_out(problems, 1, ("evaluate", ctx.step))


def measures(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    """A step's metrics of episodes, with the standard errors of the reward and of `correct`. Where
    every episode broke, nothing is known of the reward: it is not a number.
    """
    found = {**episode_metrics(groups), **error_metrics(groups)}
    rewards = [reward for group in groups for reward in group.rewards]
    right = [
        turn.metrics["correct"]
        for group in groups
        for each in group.whole
        for turn in each.turns
        if "correct" in turn.metrics
    ]
    if not rewards:
        found["env/all/reward/total"] = math.nan
    for name, values in (("reward/total", rewards), ("correct", right)):
        if values:
            found[f"env/all/{name}_stderr"] = standard_error(values)
    return found


def standard_error(values: Sequence[float]) -> float:
    """Of a mean: sqrt(variance / n), the variance over n; of shares that is sqrt(p (1 - p) / n)."""
    return float(np.std(values) / math.sqrt(len(values)))


def _answers(
    ctx: StageContext, problems: Sequence[EnvGroupBuilder], groups: Sequence[TrajectoryGroup]
) -> list[Answer]:
    """The last answer of each whole episode."""
    return [
        _answer(ctx, problem, group)
        for problem, group in zip(problems, groups, strict=True)
        if group.whole
    ]


def _answer(ctx: StageContext, problem: EnvGroupBuilder, group: TrajectoryGroup) -> Answer:
    renderer: Renderer = ctx.state["renderer"]
    (episode,) = group.whole
    last = episode.turns[-1]
    reward = episode.reward(group.reward_weights)
    return Answer(
        prompt=renderer.text(last.prompt),
        question=problem.question,
        completion=renderer.text(last.sample.tokens),
        expected=problem.expected,
        correct=last.metrics.get("correct", reward) >= GOOD,
        sample=last.sample,
        rewards=reward_parts(episode),
    )
