"""Small environments to be played in, and a sampler that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kitchen_core.adapters.memory.tokenizer import EOS
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments import Env, Outcome
from kitchen_core.train.grading import Grader
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.trajectories import Trajectory
from kitchen_core.train.types import Message, Sample, SamplingParams

Answering = Callable[[int, str], Outcome]
"""What comes of an answer, given which turn it is (from 0) and what it says. It may raise."""


@dataclass
class Episode:
    """An episode of one question."""

    question: str
    answering: Answering
    turn: int = 0

    def begin(self) -> Conversation:
        return Conversation((Message("user", self.question),))

    async def step(self, answer: Parsed) -> Outcome:
        self.turn += 1
        return self.answering(self.turn - 1, answer.message.content)


@dataclass
class Asking:
    """A problem whose answers are judged by a function. compare: rewards of the group's end."""

    question: str
    answering: Answering
    compare: Callable[[Sequence[Trajectory]], Sequence[Mapping[str, float]]] | None = None
    tags: tuple[str, ...] = ("asking",)
    expected: str = ""
    reward_weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"row {self.question}"

    def make(self, count: int) -> Sequence[Env]:
        return [Episode(self.question, self.answering) for _ in range(count)]

    async def group_rewards(
        self, trajectories: Sequence[Trajectory]
    ) -> Sequence[Mapping[str, float]]:
        return self.compare(trajectories) if self.compare else [{} for _ in trajectories]


def over(**rewards: float) -> Outcome:
    """The end of an episode."""
    return Outcome(rewards, {"said": 1.0})


def goes_on(told: str, **rewards: float) -> Outcome:
    """The policy is told something more."""
    return Outcome(rewards, messages=(Message("user", told),))


class Saying:
    """Implements SamplingClient.sample: says the texts in turn, as bytes with an end of turn.

    calls: the prompts, the count and the settings of each call.
    """

    version = 3

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.calls: list[tuple[list[list[int]], int, SamplingParams]] = []

    async def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, n: int = 1
    ) -> list[list[Sample]]:
        self.calls.append(([list(prompt) for prompt in prompts], n, params))
        return [[self._next(params) for _ in range(n)] for _ in prompts]

    def _next(self, params: SamplingParams) -> Sample:
        tokens = [*self._texts.pop(0).encode(), EOS][: params.max_tokens]
        reason = "stop" if tokens[-1] == EOS else "length"
        return Sample(tokens, np.full(len(tokens), -1.0, np.float32), reason)


@dataclass(frozen=True)
class Registered:
    """An environment that poses what a function makes of an example."""

    name: str
    pose: Callable[[Conversation], Asking]

    def group(self, example: Conversation, grader: Grader) -> Asking:
        del grader
        return self.pose(example)
