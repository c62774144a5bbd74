"""Trying again: a policy that is told that its answer is wrong, and may give another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments.base import Env, EnvGroupBuilder, Environment, Outcome
from kitchen_core.train.environments.problems import CORRECT, around
from kitchen_core.train.grading import Grader
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.types import Message

TOLD = "That is not right. Try again."


def with_retries(
    environment: Environment,
    *,
    tries: int = 3,
    kept: float = 0.5,
    told: str = TOLD,
    name: str | None = None,
) -> Environment:
    """The environment with `tries` answers to each problem. kept: what is left of the part `correct` with
    each further try. told: what the policy reads after a wrong answer.

    Its name is the other's with `_retries`, where none is given. Raises ValueError for settings that
    allow no second try.
    """
    if tries < 2:
        raise ValueError(f"tries is {tries}, but must be at least 2 to try again")
    if not 0 <= kept <= 1:
        raise ValueError(f"kept is {kept:g}, but must be between 0 and 1")
    return _Retries(name or f"{environment.name}_retries", environment, tries, kept, told)


@dataclass(frozen=True, slots=True)
class _Retries:
    name: str
    environment: Environment
    tries: int
    kept: float
    told: str

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        return around(self.environment.group(example, grader), self.name, self._episode)

    def _episode(self, env: Env) -> Env:
        return _RetryEnv(env, self.tries, self.kept, self.told)


class _RetryEnv:
    """An episode in which the last answer of another is asked for again."""

    def __init__(self, env: Env, tries: int, kept: float, told: str) -> None:
        self._env = env
        self._tries = tries
        self._kept = kept
        self._told = told
        self._tried = 0

    def begin(self) -> Conversation:
        return self._env.begin()

    async def step(self, answer: Parsed) -> Outcome:
        """An answer that was cut off is the last one: what follows could not be read after it."""
        found = await self._env.step(answer)
        if found.messages:
            return found
        correct = found.rewards.get(CORRECT, 0.0)
        worth = correct * self._kept**self._tried
        self._tried += 1
        found = replace(found, rewards={**found.rewards, CORRECT: worth})
        if correct > 0 or self._tried == self._tries or not answer.complete:
            return replace(found, metrics={**found.metrics, "tries": float(self._tried)})
        return replace(found, messages=(Message("user", self._told),))
