"""From a comparison to the two sequences that are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kitchen_core.train.conversations import Comparison, Conversation
from kitchen_core.train.datums import datum_of_completion
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.preparing import cut_to
from kitchen_core.train.renderers import Rendered, Renderer, RenderError
from kitchen_core.train.types import Datum


@dataclass(frozen=True)
class PairPreparation:
    """How comparisons are prepared: of each side only what the assistant says after the prompt is
    trained, its end of turn included. max_length: tokens; a longer side is cut at the end.
    """

    renderer: Renderer
    tokenizer: Tokenizer
    max_length: int

    @property
    def fingerprint(self) -> str:
        """What the sequences of a comparison depend on, but for the code."""
        parts = [self.renderer.fingerprint, self.tokenizer.fingerprint]
        return sha256_of_json(["pairs", *parts, self.max_length])

    @property
    def lacking(self) -> str:
        """What a row without sequences has, in words."""
        return "an answer without a token to train"

    def sequences(self, comparison: Comparison) -> list[Rendered]:
        """The chosen and the rejected sequence `[seq]`, or none where nothing of one of the answers
        is left within `max_length`. Raises RenderError naming the row.
        """
        return self.kept([self.cut(rendered) for rendered in self.rendered(comparison)])

    def kept(self, cut: Sequence[Rendered]) -> list[Rendered]:
        """Both sides where both have something to train, else none."""
        return list(cut) if all(any(side.trained[1:]) for side in cut) else []

    def rendered(self, comparison: Comparison) -> list[Rendered]:
        """The chosen and the rejected sequence, as long as they are. Raises RenderError naming the row."""
        prompt = len(comparison.prompt.messages)
        sides = (comparison.chosen, comparison.rejected)
        try:
            return [self.renderer.supervised(_marked(side, prompt), "customized") for side in sides]
        except RenderError as error:
            raise RenderError(f"{comparison.where}: {error}") from None

    def cut(self, rendered: Rendered) -> Rendered:
        """A sequence without what lies beyond `max_length`."""
        return cut_to(self.max_length, rendered)

    def untrained(self, name: str, count: str) -> str:
        """Why data can't be trained on: so many rows, and no pair among them."""
        return (
            f"{name}: none of {count} rows has two answers with a token to train within "
            f"max_length={self.max_length}; raise max_length"
        )


def answer_logprobs(logprobs: Sequence[np.ndarray], datums: Sequence[Datum]) -> np.ndarray:
    """Each answer's summed logprob `[datums]`, given its predictions' `[seq]`; those without a weight
    may be NaN.
    """
    sums = [
        np.sum(found[datum.weights != 0], dtype=np.float64)
        for found, datum in zip(logprobs, datums, strict=True)
    ]
    return np.asarray(sums, dtype=np.float64)


def parted(datum: Datum) -> tuple[list[int], list[int]]:
    """A side's prompt and its answer: the tokens before the first that is trained, and the others."""
    first = int(np.flatnonzero(datum.weights)[0])
    return datum.tokens[: first + 1].tolist(), datum.targets[first:].tolist()


def mismatched(datums: Sequence[Datum], max_length: int) -> list[Datum]:
    """Each prompt with the answer of the pair before it, of its own side, for interleaved datums
    `[2 * pairs]`: what kto measures how far the policy has moved by. The first pair's prompts get
    the last one's answers. Cut at `max_length` tokens.
    """
    sides = [parted(datum) for datum in datums]
    return [
        _shortened(datum_of_completion(prompt, sides[i - 2][1]), max_length)
        for i, (prompt, _) in enumerate(sides)
    ]


def _marked(side: Conversation, prompt: int) -> Conversation:
    """The conversation with what the assistant says after the first `prompt` turns marked to be trained."""
    turns = (
        replace(turn, trainable=turn.role == "assistant" and i >= prompt)
        for i, turn in enumerate(side.messages)
    )
    return replace(side, messages=tuple(turns))


def _shortened(datum: Datum, max_length: int) -> Datum:
    kept = slice(max_length - 1)
    return Datum(datum.tokens[kept], datum.targets[kept], datum.weights[kept])
