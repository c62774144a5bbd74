"""From episodes to training sequences.

An episode is a list of prompts and answers. Where each prompt begins with all that was said before, as
in a growing conversation, the turns are one sequence whose answers are trained; a prompt that does not
(a template that drops earlier thoughts) begins a new one. These are the sequences of tinker-cookbook's
`trajectory_to_data`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kitchen_core.train.rl.advantages import Float64Array
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import Datum


@dataclass(frozen=True, slots=True)
class Origin:
    """Which episode a sequence is of: its group's place among the groups, its own among the group's
    whole episodes.
    """

    group: int
    episode: int


@dataclass(frozen=True)
class Assembled:
    """The sequences of a batch, and of which episode each is. Two may be of the same."""

    datums: list[Datum]
    origins: list[Origin]


def assemble(
    groups: Sequence[TrajectoryGroup], advantages: Sequence[Sequence[Float64Array]]
) -> Assembled:
    """The sequences of the groups' whole episodes. advantages: `[groups][episodes][turns]`."""
    datums: list[Datum] = []
    origins: list[Origin] = []
    for at_group, (group, of_group) in enumerate(zip(groups, advantages, strict=True)):
        for at, (episode, of_turns) in enumerate(zip(group.whole, of_group, strict=True)):
            made = datums_of(episode, of_turns)
            datums += made
            origins += [Origin(at_group, at)] * len(made)
    return Assembled(datums, origins)


def datums_of(episode: Trajectory, advantages: Float64Array) -> list[Datum]:
    """An episode's sequences. advantages: of each answer, `[turns]`.

    The answers' tokens weigh 1 and have the sampler's `logprobs` and the `advantages` of their turn as
    extras; the prompts' tokens have 0 of each. One without an answer's token is left out.
    """
    sequences: list[_Sequence] = []
    for turn, advantage in zip(episode.turns, advantages, strict=True):
        if not sequences or not sequences[-1].is_begun_by(turn.prompt):
            sequences.append(_Sequence())
        sequences[-1].add(turn, float(advantage))
    return [sequence.datum() for sequence in sequences if any(sequence.weights)]


@dataclass
class _Sequence:
    """A sequence under way, `[seq]` each."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    advantages: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def is_begun_by(self, prompt: Sequence[int]) -> bool:
        """Whether a prompt goes on from here."""
        return list(prompt[: len(self.tokens)]) == self.tokens

    def add(self, turn: Turn, advantage: float) -> None:
        """What the prompt has more than this, untrained, and the answer."""
        told = turn.prompt[len(self.tokens) :]
        answer = turn.sample.tokens
        self.tokens += [*told, *answer]
        self.logprobs += [0.0] * len(told) + turn.sample.logprobs.tolist()
        self.advantages += [0.0] * len(told) + [advantage] * len(answer)
        self.weights += [0.0] * len(told) + [1.0] * len(answer)

    def datum(self) -> Datum:
        """Shifted: the first token is predicted by nothing."""
        tokens = np.array(self.tokens, dtype=np.int64)
        logprobs, advantages, weights = (
            np.array(each[1:], dtype=np.float32)
            for each in (self.logprobs, self.advantages, self.weights)
        )
        extra = {"logprobs": logprobs, "advantages": advantages}
        return Datum(tokens[:-1], tokens[1:], weights, extra)
