"""What every training backend refuses before it computes, in the same words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kitchen_core.train.losses import Loss
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Datum, IntArray, SamplingParams


def check_inputs(loss: Loss, datums: Sequence[Datum]) -> None:
    """Every datum has what the loss reads of its extra, a finite value for each prediction that counts."""
    if loss.reads:
        check_single_targets(loss.name, datums)
    for name in loss.reads:
        for index, datum in enumerate(datums):
            given = datum.extra.get(name)
            if given is None:
                raise InvalidRequest(
                    f"datum {index} has no '{name}', which {loss.name} reads",
                    hint=f"Put them into the datum's extra, one for each of its {len(datum)} tokens.",
                )
            if given.shape != datum.tokens.shape:
                raise InvalidRequest(
                    f"datum {index} has {len(datum)} tokens and '{name}' of shape {given.shape}",
                    hint="A loss needs one value a token.",
                )
            if not np.isfinite(given[datum.counted]).all():
                raise InvalidRequest(
                    f"datum {index} has a value in '{name}' that is not finite",
                    hint="Give the prediction the weight 0, or look at where the value comes from.",
                )


def check_single_targets(loss: str, datums: Sequence[Datum]) -> None:
    """One target a token, which all losses but cross_entropy need. `loss` names what is computed."""
    for index, datum in enumerate(datums):
        if datum.targets.ndim > 1:
            raise InvalidRequest(
                f"datum {index} has {datum.targets.shape[1]} targets a token, {loss} takes one",
                hint="Train on several targets with cross_entropy.",
            )


@dataclass(frozen=True, slots=True)
class Limits:
    """What token sequences a model can read: ids below `vocab_size`, at most `max_length` of them."""

    vocab_size: int
    max_length: int

    def check_datums(self, datums: Sequence[Datum], what: str = "datum") -> None:
        """At least one datum; each not empty, of one length, with finite weights, within the limits.
        `what` names one of them.
        """
        if not datums:
            raise InvalidRequest(
                "no datums were given", hint="Skip the step when a batch is empty."
            )
        for index, datum in enumerate(datums):
            _check_shapes(f"{what} {index}", datum)
        shapes = {datum.targets.shape[1:] for datum in datums}
        if len(shapes) > 1:
            raise InvalidRequest(
                f"{what}s of one call have {_counts(shapes)} targets a token",
                hint="Give each token as many targets; those too many get the weight 0.",
            )
        if not self._all_fit(datums):  # then it is worth the time to find which does not
            for index, datum in enumerate(datums):
                self._check_datum(f"{what} {index}", datum)

    def _all_fit(self, datums: Sequence[Datum]) -> bool:
        """Whether every datum is within the limits: all at once, for this is asked at every step."""
        ids = np.concatenate([d.tokens for d in datums] + [d.targets.ravel() for d in datums])
        return (
            max(map(len, datums)) <= self.max_length
            and ids.min() >= 0
            and ids.max() < self.vocab_size
            and bool(np.isfinite(np.concatenate([d.weights for d in datums])).all())
        )

    def _check_datum(self, what: str, datum: Datum) -> None:
        if not np.isfinite(datum.weights).all():
            raise InvalidRequest(
                f"{what} has a weight that is not finite",
                hint="Look at what the weights are computed from.",
            )
        self._check(what, datum.tokens)
        self._check(f"the targets of {what}", datum.targets)

    def check_sequences(self, what: str, sequences: Sequence[Sequence[int]]) -> None:
        """Each sequence is not empty and within the limits. `what` names one of them."""
        for index, sequence in enumerate(sequences):
            if len(sequence) == 0:
                raise InvalidRequest(
                    f"{what} {index} is empty", hint="Start it with at least one token."
                )
            self._check(f"{what} {index}", sequence)

    def _check(self, what: str, tokens: Sequence[int] | IntArray) -> None:
        if len(tokens) > self.max_length:
            raise InvalidRequest(
                f"{what} has {len(tokens)} tokens, the model's context is {self.max_length}",
                hint="Lower max_length.",
            )
        low, high = int(np.min(tokens)), int(np.max(tokens))
        if low < 0 or high >= self.vocab_size:
            raise InvalidRequest(
                f"{what} holds the token id {low if low < 0 else high}, the vocabulary has "
                f"{self.vocab_size}",
                hint="Tokenize with the model's own tokenizer.",
            )


def _check_shapes(what: str, datum: Datum) -> None:
    """As many tokens, targets and weights, at least one of each; targets `[seq]` or `[seq, k]`."""
    if not len(datum.tokens) == len(datum.targets) == len(datum.weights) > 0:
        raise InvalidRequest(
            f"{what} has {len(datum.tokens)} tokens, {len(datum.targets)} targets "
            f"and {len(datum.weights)} weights",
            hint="All three need the same length, at least 1.",
        )
    shape = datum.targets.shape
    if shape != datum.weights.shape or len(shape) > 2 or 0 in shape:
        raise InvalidRequest(
            f"{what} has targets of shape {shape} and weights of shape {datum.weights.shape}",
            hint="Both must be [seq], or [seq, k] with several targets a token.",
        )


def _counts(shapes: set[tuple[int, ...]]) -> str:
    return " and ".join(str(k) for k in sorted(shape[0] if shape else 1 for shape in shapes))


def check_sampling(params: SamplingParams, n: int) -> None:
    """Sampling parameters are in their bounds."""
    bounds = (
        ("n", n, n >= 1, "at least 1"),
        ("max_tokens", params.max_tokens, params.max_tokens >= 1, "at least 1"),
        (
            "temperature",
            params.temperature,
            0 <= params.temperature < math.inf,
            "0 (greedy) or more, and finite",
        ),
        ("top_k", params.top_k, params.top_k == -1 or params.top_k >= 1, "-1 (all) or at least 1"),
        ("top_p", params.top_p, 0 < params.top_p <= 1, "above 0 and at most 1"),
        ("seed", params.seed, 0 <= params.seed < 2**63, "0 or more, and below 2**63"),
        (
            "stop_texts",
            repr(params.stop_texts),
            not isinstance(params.stop_texts, str) and all(params.stop_texts),
            "a list of texts, none of them empty",
        ),
    )
    for name, value, fits, expected in bounds:
        if not fits:
            raise InvalidRequest(f"{name} is {value}", hint=f"It must be {expected}.")


def check_top(k: int) -> None:
    """At least one of the likeliest tokens is asked for."""
    if k < 1:
        raise InvalidRequest(f"k is {k}", hint="It must be at least 1.")


def make_empty_folder(folder: Path) -> None:
    """Create a folder to write into; one with something in it is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidRequest(f"{folder} is not empty", hint="Give a folder of its own to write to.")
