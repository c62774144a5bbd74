"""What an environment is: something to answer, and what an answer is worth.

An environment speaks in messages. Whoever rolls it out spells them as tokens for the model, so that the
same environment serves every model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.grading import Grader
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.trajectories import Trajectory
from kitchen_core.train.types import Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of an answer.

    rewards: by part, before the parts are weighed. metrics: what else there is to say. messages: what the
    policy is told next; the episode is over where there are none.
    """

    rewards: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


class Env(Protocol):
    """One episode."""

    def begin(self) -> Conversation:
        """What the policy reads first, tools included."""
        ...

    async def step(self, answer: Parsed) -> Outcome:
        """Take the policy's answer. What it raises ends the episode, which is recorded and left out."""
        ...


class EnvGroupBuilder(Protocol):
    """One problem, of which several episodes are compared."""

    @property
    def tags(self) -> tuple[str, ...]:
        """What metrics are told apart by."""
        ...

    @property
    def where(self) -> str:
        """The problem's place in the data."""
        ...

    @property
    def question(self) -> str:
        """What is asked, for people."""
        ...

    @property
    def expected(self) -> str:
        """The right answer, for people."""
        ...

    @property
    def reward_weights(self) -> Mapping[str, float]:
        """Of the parts of the reward, by name; a part that is not among them weighs 1, and no setting
        weighs it otherwise.
        """
        ...

    def make(self, count: int) -> Sequence[Env]:
        """`count` new episodes of the problem."""
        ...

    async def group_rewards(
        self, trajectories: Sequence[Trajectory]
    ) -> Sequence[Mapping[str, float]]:
        """Parts that depend on the group as a whole, for each of its episodes; empty mappings where
        there are none.
        """
        ...


class Environment(Protocol):
    """A kind of problem: makes a group builder of each example of a dataset."""

    @property
    def name(self) -> str:
        """The name that it is registered under; the first tag of its groups."""
        ...

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        """The problem that an example poses. Raises RowError where it poses none."""
        ...
