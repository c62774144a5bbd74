"""The kitchen's reinforcement: TorchLocal through its ports, called as the workflow's stages call it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count

import numpy as np

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import ReinforcementJob, reward
from benchmarks.contestants.kitchen import start
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.datums import datum_of_completion
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Renderer, get_renderer
from kitchen_core.train.types import AdamParams, Datum, LossSpec, Message, Sample, SamplingParams

NO_END = (-1,)
"""A stop token that no model has."""


async def compete(job: ReinforcementJob) -> None:
    """Take steps for as long as they are asked for."""
    session = await start(job, sampling_batch_size=job.prompts_a_step * job.group)
    batches = job.batches()
    turns = Turns()
    for step in count():
        tokens = await take_step(session, job, batches[step % len(batches)], step)
        turns.stepped(tokens, items=job.prompts_a_step * job.group)


async def take_step(
    session: TrainingSession, job: ReinforcementJob, questions: Sequence[str], seed: int
) -> int:
    """Sample, score and update once. Returns how many tokens were sampled."""
    renderer = get_renderer("auto", session.tokenizer)
    prompts = [renderer.prompt(_conversation(question)) for question in questions]
    stop = renderer.stop.tokens if job.ends else NO_END
    params = SamplingParams(max_tokens=job.max_tokens, seed=seed, stop=stop)
    samples = await session.sampler("live").sample(prompts, params, n=job.group)
    datums = [
        datum
        for prompt, group in zip(prompts, samples, strict=True)
        for datum in _datums(renderer, prompt, group)
    ]
    submitted = session.forward_backward(datums, LossSpec("importance_sampling"))
    update = session.optim_step(AdamParams(job.learning_rate, grad_clip_norm=1.0))
    await submitted
    await update
    return sum(len(sample.tokens) for group in samples for sample in group)


def _conversation(question: str) -> Conversation:
    return Conversation((Message("user", question),))


def _datums(renderer: Renderer, prompt: Sequence[int], group: Sequence[Sample]) -> list[Datum]:
    """A group's completions with their advantages over its mean."""
    rewards = np.array([reward(renderer.text(sample.tokens)) for sample in group], np.float32)
    return [
        _datum(prompt, sample, float(advantage))
        for sample, advantage in zip(group, rewards - rewards.mean(), strict=True)
    ]


def _datum(prompt: Sequence[int], sample: Sample, advantage: float) -> Datum:
    datum = datum_of_completion(prompt, sample.tokens)
    start = len(prompt) - 1
    logprobs, advantages = np.zeros_like(datum.weights), np.zeros_like(datum.weights)
    logprobs[start:], advantages[start:] = sample.logprobs, advantage
    extra = {"logprobs": logprobs, "advantages": advantages}
    return Datum(datum.tokens, datum.targets, datum.weights, extra)


if __name__ == "__main__":
    asyncio.run(compete(ReinforcementJob.read()))
