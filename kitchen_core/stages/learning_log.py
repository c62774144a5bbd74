"""What there is to say about a reinforcement step, as numbers and as samples to read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from kitchen_core.stages.advantages import Compared, TrainingData
from kitchen_core.stages.problems import ProblemBatch
from kitchen_core.stages.step_metrics import work_metrics
from kitchen_core.stages.submitted import both
from kitchen_core.stages.substeps import Substep
from kitchen_core.stages.training import scheduled_adam
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.kl import kl_sample_train
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.rl.metrics import (
    episode_metrics,
    error_metrics,
    reward_parts,
    version_metrics,
)
from kitchen_core.train.rl.rollouts import Rollouts
from kitchen_core.train.spans import scored_texts
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import FloatArray, ForwardResult, OptimResult
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Stage

EPISODES_OF_A_GROUP = 2
"""Episodes recorded of one problem, so that a person can hold one answer against another."""


class LogReinforcement(Stage):
    """Wait for the step and record its metrics."""

    name = "LogReinforcement"
    reads = ("session", "rollouts", "compared", "training_data", "substeps", "peak_lr")

    async def run(self, ctx: StageContext) -> None:
        """Metrics are named as tinker-cookbook names them. `env/*` tells of every episode that was
        sampled, those of groups that teach nothing too.
        """
        rollouts: Rollouts = ctx.state["rollouts"]
        compared: Compared = ctx.state["compared"]
        data: TrainingData = ctx.state["training_data"]
        steps: list[Substep] = ctx.state["substeps"]
        total = ctx.total_steps or 1
        metrics = {
            "progress/batch": ctx.step,
            "progress/done_frac": (ctx.step + 1) / total,
            "progress/epoch": rollouts.epoch,
            "optim/lr": scheduled_adam(ctx).learning_rate,
            "groups/kept": len(compared.groups.kept),
            "groups/constant": len(compared.groups.constant),
            "groups/broken": len(compared.groups.broken),
            **episode_metrics(rollouts.groups),
            **error_metrics(rollouts.groups),
            **version_metrics(rollouts.groups),
            **sampling_speed(rollouts),
            **(await self._trained(ctx, steps) if steps else {}),
        }
        if data.kl_policy_base is not None:
            metrics["kl_policy_base"] = data.kl_policy_base
        ctx.telemetry.metrics(ctx.step, metrics)

    async def _trained(self, ctx: StageContext, steps: Sequence[Substep]) -> dict[str, float]:
        done = await ctx.wait(
            asyncio.gather(*(both(s.submitted.handle, s.update.handle) for s in steps))
        )
        seconds = time.perf_counter() - steps[0].submitted.at
        session: TrainingSession = ctx.state["session"]
        device = session.device_facts
        return {
            **trainer_metrics(steps, [forward for forward, _ in done]),
            **{f"optim/{k}": v for k, v in _last(done).metrics.items()},
            "time/train_s": seconds,
            **work_metrics(_all_work([forward for forward, _ in done]), device, seconds),
        }


def trainer_metrics(steps: Sequence[Substep], results: Sequence[ForwardResult]) -> dict[str, float]:
    """How far the sampler's logprobs of the answers are from the trainer's, and the sampler's entropy
    -mean(q) in nats a token; tinker-cookbook's `compute_kl_sample_train`. Of a loss that clips also the
    share of tokens whose ratio lies outside the bounds.
    """
    sampler: list[FloatArray] = []
    trainer: list[FloatArray] = []
    for step, result in zip(steps, results, strict=True):
        for datum, logprobs in zip(step.submitted.datums, result.logprobs, strict=True):
            answered = datum.weights != 0
            sampler.append(datum.extra["logprobs"][answered])
            trainer.append(logprobs[answered])
    kl = kl_sample_train(sampler, trainer)
    return {
        "optim/kl_sample_train_v1": kl.v1,
        "optim/kl_sample_train_v2": kl.v2,
        "optim/entropy": -float(np.concatenate(sampler).mean(dtype=np.float64)),
        **_clipped(steps, results),
    }


def _clipped(steps: Sequence[Substep], results: Sequence[ForwardResult]) -> dict[str, float]:
    if not all("clip_fraction" in result.metrics for result in results):
        return {}
    tokens = [sum(datum.num_loss_tokens for datum in step.submitted.datums) for step in steps]
    shares = [result.metrics["clip_fraction"] for result in results]
    return {"optim/clip_fraction": float(np.average(shares, weights=tokens))}


def sampling_speed(rollouts: Rollouts) -> dict[str, float]:
    """How long the rollouts took, environments included, and how many answers and tokens a second."""
    turns = [turn for g in rollouts.groups for each in g.trajectories for turn in each.turns]
    tokens = sum(len(turn.sample.tokens) for turn in turns)
    return {
        "time/rollout_s": rollouts.seconds,
        "time/completions_per_s": len(turns) / rollouts.seconds,
        "time/tokens_per_s": tokens / rollouts.seconds,
    }


class LogRollouts(Stage):
    """Record a few episodes of the batch, token by token, with what they were worth."""

    name = "LogRollouts"
    reads = ("session", "renderer", "batch", "rollouts", "compared")

    async def run(self, ctx: StageContext) -> None:
        """A `sample.logged` event for each of `log_samples` episodes, two of a problem."""
        rollouts: Rollouts = ctx.state["rollouts"]
        batch: ProblemBatch = ctx.state["batch"]
        spelling = _Spelling(ctx.state["renderer"], ctx.state["session"])
        places = [
            (at, episode)
            for at, problem in enumerate(batch.groups)
            for episode in range(min(EPISODES_OF_A_GROUP, len(rollouts.groups[at].trajectories)))
        ]
        for index, (at, which) in enumerate(places[: ctx.config.log_samples]):
            group = rollouts.groups[at]
            episode = group.trajectories[which]
            ctx.event(
                EventKind.SAMPLE_LOGGED,
                _worth(group, episode, ctx.state["compared"]),
                kind="rollout",
                index=index,
                group=at,
                expected=batch.groups[at].expected,
                **_told(group, episode),
                turns=[spelling.turn(turn) for turn in episode.turns],
            )


def _told(group: TrajectoryGroup, episode: Trajectory) -> dict[str, Any]:
    return {
        "where": group.where,
        "question": group.question,
        "tags": list(group.tags),
        "error": episode.error,
        "version": episode.version,
        "rewards": reward_parts(episode),
    }


def _worth(group: TrajectoryGroup, episode: Trajectory, compared: Compared) -> dict[str, float]:
    """Its reward, and its advantage (the mean over its turns) where it is trained on."""
    if episode.error is not None:
        return {}
    worth = {"reward": episode.reward(group.reward_weights)}
    for kept, advantages in zip(compared.groups.kept, compared.advantages, strict=True):
        if kept is group:
            at = next(i for i, each in enumerate(group.whole) if each is episode)
            worth["advantage"] = float(advantages[at].mean())
    return worth


class _Spelling:
    """Turns as a person reads them."""

    def __init__(self, renderer: Renderer, session: TrainingSession) -> None:
        self._renderer = renderer
        self._decode = session.tokenizer.decode

    def turn(self, turn: Turn) -> dict[str, Any]:
        """The prompt as text, the answer token by token with its logprobs, and what came of it."""
        return {
            "prompt": self._renderer.text(turn.prompt),
            "tokens": scored_texts(turn.sample.tokens, turn.sample.logprobs, self._decode),
            "rewards": dict(turn.rewards),
            "told": turn.told,
        }


def _last(done: Sequence[tuple[ForwardResult, OptimResult]]) -> OptimResult:
    return done[-1][1]


def _all_work(results: Sequence[ForwardResult]) -> dict[str, float]:
    """The work of all passes: operations add up, of the memory the most counts."""
    found: dict[str, float] = {}
    for result in results:
        metrics = result.metrics
        if "flops" in metrics:
            found["flops"] = found.get("flops", 0.0) + metrics["flops"]
        if "peak_memory_bytes" in metrics:
            found["peak_memory_bytes"] = max(
                found.get("peak_memory_bytes", 0.0), metrics["peak_memory_bytes"]
            )
    return found
