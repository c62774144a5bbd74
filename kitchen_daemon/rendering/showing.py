"""What of a row is shown: the sequences that a run trains on, or the prompts that it asks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Protocol

from kitchen_core.config import MixedSet
from kitchen_core.recipe import RecipeError
from kitchen_core.stages.grading import ExactGrader
from kitchen_core.stages.preparing import Preparing
from kitchen_core.stages.problems import no_room, pose
from kitchen_core.stages.prompts import none_within
from kitchen_core.train.distillation.prompts import Asking
from kitchen_core.train.environments import Environment, get_environment
from kitchen_core.train.pairs import PairPreparation
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import Rendered, Renderer
from kitchen_core.train.schemas import COMPARISONS, EXAMPLES, PROMPTS, Reading
from kitchen_core.train.spans import spans
from kitchen_core.workflows import (
    DistillationConfig,
    PreferenceConfig,
    ReinforcementConfig,
    SupervisedConfig,
)
from kitchen_core.workflows.reinforcement_config import MixedProblems
from kitchen_daemon.models import RenderedSegment, RenderedSequence


class Showing(Protocol):
    """How the rows of one set are shown."""

    @property
    def reading(self) -> Reading[Any]:
        """What is made of a row."""
        ...

    @property
    def train_on(self) -> str:
        """What a run trains on, for people."""
        ...

    def of(self, example: Any) -> tuple[list[RenderedSequence], bool]:
        """A row's sequences, and whether a run has any use for the row."""
        ...

    def refusal(self, name: str, rows: int) -> str:
        """What a run ends with if it has no use for any row."""
        ...


def showing(
    config: Any, renderer: Renderer, tokenizer: Tokenizer, mixed: MixedSet | None = None
) -> Showing:
    """How a run of the config would show its dataset's rows, or those of a set mixed in.

    Raises RecipeError for a workflow of a recipe's own.
    """
    length = config.max_length
    match config:
        case SupervisedConfig():
            prepared = Preparation(renderer, tokenizer, config.train_on, length)
            return Trained(EXAMPLES, config.train_on, prepared)
        case PreferenceConfig():
            pairs = PairPreparation(renderer, tokenizer, length)
            return Trained(COMPARISONS, "both answers", pairs, ("chosen", "rejected"))
        case ReinforcementConfig():
            own = mixed.env if isinstance(mixed, MixedProblems) else None
            return Posed(get_environment(own or config.env), renderer, tokenizer, length)
        case DistillationConfig():
            # how much the model itself can read is known when it has been loaded
            limits = (length, config.max_tokens, sys.maxsize)
            asking = Asking(renderer, config.teacher_prompt, *limits)
            return Asked(asking, tokenizer, by_student=config.mode == "on_policy")
        case _:
            raise RecipeError(
                f"{type(config).__name__} is of a workflow whose rows can't be shown; choose another "
                "recipe by --recipe"
            )


@dataclass(frozen=True)
class Trained:
    """Rows whose own sequences are trained. sides: what a row's sequences are called."""

    reading: Reading[Any]
    train_on: str
    preparation: Preparing[Any]
    sides: tuple[str, ...] = ()

    def of(self, example: Any) -> tuple[list[RenderedSequence], bool]:
        """As the protocol says."""
        whole = self.preparation.rendered(example)
        cut = [self.preparation.cut(each) for each in whole]
        sequences = [
            self._sequence(example.where, side, kept, len(each.tokens) - len(kept.tokens))
            for each, kept, side in zip(whole, cut, self.sides or repeat(""), strict=False)
        ]
        return sequences, bool(self.preparation.kept(cut))

    def refusal(self, name: str, rows: int) -> str:
        """As the protocol says."""
        return self.preparation.untrained(name, f"these {rows}")

    def _sequence(self, where: str, side: str, kept: Rendered, num_cut: int) -> RenderedSequence:
        """A sequence as it is read. Its first token is predicted by nothing, so it is never trained."""
        trained = [False, *kept.trained[1:]]
        return RenderedSequence(
            where=where,
            side=side,
            segments=_segments(kept.tokens, trained, self.preparation.tokenizer),
            num_tokens=len(kept.tokens),
            num_loss_tokens=sum(trained),
            num_cut=num_cut,
        )


@dataclass(frozen=True)
class Posed:
    """Rows that are problems: what the environment asks first, and the right answer."""

    environment: Environment
    renderer: Renderer
    tokenizer: Tokenizer
    max_length: int
    reading = EXAMPLES

    @property
    def train_on(self) -> str:
        """As the protocol says."""
        return f"what the model answers, by its rewards of env={self.environment.name}"

    def of(self, example: Any) -> tuple[list[RenderedSequence], bool]:
        """As the protocol says. Nothing is graded here, so that the grader does not matter."""
        problem = pose(example, self.environment, ExactGrader(), self.renderer)
        fits = len(problem.prompt) < self.max_length
        expected = problem.builder.expected
        return [_prompt(example.where, problem.prompt, self.tokenizer, fits, expected)], fits

    def refusal(self, name: str, rows: int) -> str:
        """As the protocol says."""
        return no_room(name, f"these {rows}", self.max_length)


@dataclass(frozen=True)
class Asked:
    """Rows that are prompts, for the student and, where it reads another, for the teacher."""

    asking: Asking
    tokenizer: Tokenizer
    by_student: bool
    reading = PROMPTS

    @property
    def train_on(self) -> str:
        """As the protocol says."""
        if self.by_student:
            return "what the model answers, by what the teacher thinks of it"
        return "what the teacher answers"

    def of(self, example: Any) -> tuple[list[RenderedSequence], bool]:
        """As the protocol says."""
        prompt, where = self.asking.prompt(example, 0), example.where
        fits = self.asking.fits(prompt)
        expected = example.reply.content if example.reply else ""
        shown = [_prompt(where, prompt.tokens, self.tokenizer, fits, expected)]
        if self.asking.teacher_prompt is not None:
            shown.append(
                _prompt(where, prompt.teacher_tokens, self.tokenizer, fits, side="teacher")
            )
        return shown, fits

    def refusal(self, name: str, rows: int) -> str:
        """As the protocol says."""
        return none_within(name, f"these {rows}", self.asking)


def _prompt(
    where: str,
    tokens: Sequence[int],
    tokenizer: Tokenizer,
    fits: bool,
    expected: str = "",
    side: str = "",
) -> RenderedSequence:
    return RenderedSequence(
        where=where,
        side=side,
        segments=_segments(tokens, [False] * len(tokens), tokenizer),
        num_tokens=len(tokens),
        num_loss_tokens=0,
        num_cut=0,
        asked=True,
        expected=expected,
        fits=fits,
    )


def _segments(
    tokens: Sequence[int], trained: Sequence[bool], tokenizer: Tokenizer
) -> list[RenderedSegment]:
    return [
        RenderedSegment(text=span.text, trained=span.trained, tokens=span.tokens)
        for span in spans(tokens, trained, tokenizer.decode)
    ]
