"""Episodes with an answer given by hand."""

from __future__ import annotations

import numpy as np

from kitchen_core.stages.grading import ExactGrader
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments import Env, Environment, Outcome
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.trajectories import Trajectory, Turn
from kitchen_core.train.types import Message, Sample, ToolCall

GRADER = ExactGrader()


def example(question: str, answer: str | None, where: str = "data.jsonl:3") -> Conversation:
    turns = [Message("user", question)]
    if answer is not None:
        turns.append(Message("assistant", answer))
    return Conversation(tuple(turns), where)


def episode(environment: Environment, question: str = "1 + 1?", answer: str = "2") -> Env:
    (env,) = environment.group(example(question, answer), GRADER).make(1)
    return env


def saying(text: str, *calls: ToolCall, complete: bool = True) -> Parsed:
    return Parsed(Message("assistant", text, tool_calls=calls), complete)


def total(outcome: Outcome, weights: dict[str, float]) -> float:
    return trajectory(outcome.rewards).reward(weights)


def trajectory(*rewards: object, tokens: int = 1) -> Trajectory:
    sample = Sample([0] * tokens, np.zeros(tokens, np.float32), "stop")
    turns = tuple(Turn([0], sample, rewards=each) for each in rewards)  # pyright: ignore[reportArgumentType]
    return Trajectory(turns, version=0)
