"""Problems with a right answer: what every environment here has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments.base import Env, EnvGroupBuilder, Outcome
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.schemas import RowError
from kitchen_core.train.trajectories import Trajectory

CORRECT = "correct"
FORMAT = "format"
REWARD_WEIGHTS: Mapping[str, float] = {CORRECT: 1.0, FORMAT: 0.1}
"""So that an answer is worth `correct + 0.1 (format - 1)`, as in tinker-cookbook's ProblemEnv, where
`format` is 1 or 0. The part `format` is `format - 1`, that is 0 or -1.
"""

Judge = Callable[[Parsed], Awaitable[Outcome]]
Compare = Callable[[Sequence[Trajectory]], Awaitable[Sequence[Mapping[str, float]]]]


async def nothing_to_compare(trajectories: Sequence[Trajectory]) -> list[Mapping[str, float]]:
    """No part depends on the group."""
    return [{} for _ in trajectories]


@dataclass(frozen=True, slots=True)
class SingleTurn:
    """An episode of one answer. It keeps no state, so it can be answered again."""

    asked: Conversation
    judge: Judge

    def begin(self) -> Conversation:
        """What is asked."""
        return self.asked

    async def step(self, answer: Parsed) -> Outcome:
        """What the answer is worth; the episode is over."""
        return await self.judge(answer)


@dataclass(frozen=True, slots=True)
class Problem:
    """Implements EnvGroupBuilder. make_envs: new episodes, so many. compare: the group's own rewards."""

    tags: tuple[str, ...]
    where: str
    question: str
    expected: str
    reward_weights: Mapping[str, float]
    make_envs: Callable[[int], Sequence[Env]]
    compare: Compare = nothing_to_compare

    def make(self, count: int) -> Sequence[Env]:
        """As the protocol says."""
        return self.make_envs(count)

    async def group_rewards(
        self, trajectories: Sequence[Trajectory]
    ) -> Sequence[Mapping[str, float]]:
        """As the protocol says."""
        return await self.compare(trajectories)


def single_turn(name: str, asked: Conversation, expected: str, judge: Judge) -> Problem:
    """A problem of one question and one answer."""
    env = SingleTurn(asked, judge)
    return Problem(
        tags=(name,),
        where=asked.where,
        question=asked.messages[-1].content,
        expected=expected,
        reward_weights=dict(REWARD_WEIGHTS),
        make_envs=lambda count: [env] * count,
    )


def around(problem: EnvGroupBuilder, name: str, wrap: Callable[[Env], Env]) -> Problem:
    """The same problem, in an environment of another name, each episode within another."""
    return Problem(
        tags=(name, *problem.tags[1:]),
        where=problem.where,
        question=problem.question,
        expected=problem.expected,
        reward_weights=problem.reward_weights,
        make_envs=lambda count: [wrap(env) for env in problem.make(count)],
        compare=problem.group_rewards,
    )


def outcome(*, correct: bool, well_formed: bool, **metrics: float) -> Outcome:
    """The two parts of a problem's reward, and the same as 0 or 1 for people."""
    right, formed = float(correct), float(well_formed)
    return Outcome(
        rewards={CORRECT: right, FORMAT: formed - 1.0},
        metrics={CORRECT: right, FORMAT: formed, **metrics},
    )


def asked_of(example: Conversation, suffix: str = "") -> Conversation:
    """What an example asks, with `suffix` behind the last turn."""
    question = example.question
    if not suffix:
        return question
    last = question.messages[-1]
    longer = replace(last, content=last.content + suffix)
    return replace(question, messages=(*question.messages[:-1], longer))


def answer_of(example: Conversation) -> str:
    """The right answer's text. Raises RowError naming the row where it brings none."""
    last = example.messages[-1]
    if last.role != "assistant" or not last.content.strip():
        raise RowError(example.where, "", "there is no answer to hold the policy's against")
    return last.content


def shown(text: str) -> str:
    """A text as it stands in a message to people."""
    return repr(text if len(text) <= 80 else f"{text[:80]}…")
