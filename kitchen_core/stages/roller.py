"""Playing episodes: the policy answers, the environments say what its answers are worth.

All live episodes are decoded together, turn by turn.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kitchen_core.train import rng
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments import Env, EnvGroupBuilder
from kitchen_core.train.ports.errors import NotFound
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.renderers import Parsed, Renderer
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import Message, Sample, SamplingParams
from kitchen_core.workflow.context import StageContext


@dataclass
class _Episode:
    """One episode under way. prompt: what the policy reads next, None once it is over."""

    env: Env
    conversation: Conversation = field(default_factory=lambda: Conversation(()))
    prompt: list[int] | None = None
    turns: list[Turn] = field(default_factory=list)
    error: str | None = None

    def broke(self, error: Exception) -> None:
        """End here, and remember why."""
        self.prompt, self.error = None, f"{type(error).__name__}: {error}"


class Roller:
    """Plays episodes with one version of the weights.

    temperature: the config's where it is left out. What an environment raises ends its episode, is
    recorded with it, and ends nothing else; but what is not there for any episode, such as a verifier
    that is not installed (NotFound), fails the run.
    """

    def __init__(
        self, ctx: StageContext, sampler: SamplingClient, temperature: float | None = None
    ) -> None:
        self._ctx = ctx
        self._sampler = sampler
        self._renderer: Renderer = ctx.state["renderer"]
        self._temperature = ctx.config.temperature if temperature is None else temperature

    async def roll_out(
        self, problems: Sequence[EnvGroupBuilder], size: int, names: tuple[str | int, ...]
    ) -> list[TrajectoryGroup]:
        """`size` episodes of each problem. names: of the random stream; a turn's own adds its number.

        Raises Interrupted between turns where the run was asked to stop, and NotFound.
        """
        groups = [[_Episode(env) for env in problem.make(size)] for problem in problems]
        episodes = [episode for group in groups for episode in group]
        for episode in episodes:
            self._begin(episode)
        for turn in range(self._ctx.config.max_turns):
            live = [episode for episode in episodes if episode.prompt is not None]
            if not live:
                break
            samples = await self._answers(live, rng.seed_for(self._ctx.config.seed, *names, turn))
            steps = [self._step(each, sample) for each, sample in zip(live, samples, strict=True)]
            await self._ctx.wait(asyncio.gather(*steps))
        finishing = [self._finished(*each) for each in zip(problems, groups, strict=True)]
        return await self._ctx.wait(asyncio.gather(*finishing))

    def _begin(self, episode: _Episode) -> None:
        try:
            self._tell(episode, episode.env.begin())
            if episode.prompt is None:
                raise ValueError("the question leaves no room for an answer")
        except Exception as error:  # an environment is a recipe's own code: anything may come
            episode.broke(error)

    def _tell(self, episode: _Episode, conversation: Conversation) -> None:
        """What the policy reads next; nothing where that leaves no room for an answer."""
        prompt = self._renderer.prompt(conversation)
        episode.conversation = conversation
        episode.prompt = prompt if len(prompt) < self._ctx.config.max_length else None

    async def _answers(self, live: Sequence[_Episode], seed: int) -> list[Sample]:
        """An answer for each episode, in one call. Neighbours with the same prompt, as the episodes of a
        group have at first, are asked for together, so that a backend reads it once.
        """
        prompts = [episode.prompt or [] for episode in live]
        rooms = [self._ctx.config.max_length - len(prompt) for prompt in prompts]
        params = SamplingParams(
            max_tokens=min(self._ctx.config.max_tokens, max(rooms)),
            temperature=self._temperature,
            seed=seed,
            stop=self._renderer.stop.tokens,
            stop_texts=self._renderer.stop.texts,
        )
        copies = _copies(prompts)
        sampled = await self._ctx.wait(self._sampler.sample(prompts[::copies], params, copies))
        samples = [sample for of_prompt in sampled for sample in of_prompt]
        return [_cut(sample, room) for sample, room in zip(samples, rooms, strict=True)]

    async def _step(self, episode: _Episode, sample: Sample) -> None:
        prompt, episode.prompt = episode.prompt or [], None
        turn = Turn(prompt, sample)
        try:
            answer = self._renderer.parse(sample.tokens)
            outcome = await episode.env.step(answer)
            told = "\n".join(message.content for message in outcome.messages)
            rewards, metrics = _numbers(outcome.rewards), _numbers(outcome.metrics)
            turn = replace(turn, rewards=rewards, metrics=metrics, told=told)
            if outcome.messages:
                self._tell(episode, _gone_on(episode.conversation, answer, outcome.messages))
        except NotFound:  # no fault of this answer: whichever needs it would be left out
            raise
        except Exception as error:
            episode.broke(error)
        episode.turns.append(turn)

    async def _finished(
        self, problem: EnvGroupBuilder, episodes: Sequence[_Episode]
    ) -> TrajectoryGroup:
        version = self._sampler.version
        played = [Trajectory(tuple(e.turns), version, error=e.error) for e in episodes]
        whole = [each for each in played if each.error is None]
        try:
            parts = await problem.group_rewards(whole) if whole else []
            worth = {id(each): _numbers(own) for each, own in zip(whole, parts, strict=True)}
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            played = [each if each.error else replace(each, error=told) for each in played]
            worth = {}
        return TrajectoryGroup(
            tuple(replace(each, group_rewards=worth.get(id(each), {})) for each in played),
            tags=problem.tags,
            where=problem.where,
            question=problem.question,
            reward_weights={**problem.reward_weights, **self._ctx.config.reward_weights},
        )


def _copies(prompts: Sequence[list[int]]) -> int:
    """The largest n so that every n neighbours, from the first on, have one prompt."""
    counts: list[int] = []
    for at, prompt in enumerate(prompts):
        if at and prompt == prompts[at - 1]:
            counts[-1] += 1
        else:
            counts.append(1)
    return math.gcd(*counts)


def _numbers(given: Mapping[str, float]) -> dict[str, float]:
    """What an environment has measured, as plain numbers. Raises ValueError for what is none."""
    found: dict[str, float] = {}
    for name, value in given.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise ValueError(f"{name} is {value!r}, expected a finite number")
    return found


def _cut(sample: Sample, room: int) -> Sample:
    """What of an answer there is room for."""
    if len(sample.tokens) <= room:
        return sample
    return Sample(sample.tokens[:room], sample.logprobs[:room], "length")


def _gone_on(before: Conversation, answer: Parsed, told: Sequence[Message]) -> Conversation:
    return replace(before, messages=(*before.messages, answer.message, *told))
