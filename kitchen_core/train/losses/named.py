"""Losses by name: what each reads, which options it needs, and how it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from kitchen_core.train.losses import policy, scoring
from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.types import Datum, FloatArray, LossName, LossSpec

if TYPE_CHECKING:
    from torch import Tensor

CLIPS = ("clip_low", "clip_high")
BETA = "beta"


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss that is ready to be computed.

    function: from logprobs, weights and what it `reads` of each datum's extra, all `[tokens]`, to a
    scalar sum. ratio: what it clips, where it does. whole: it looks at a sequence at a time. needs: the
    options that it can't do without.
    """

    name: LossName
    function: Callable[..., Tensor]
    reads: tuple[str, ...] = ()
    ratio: Callable[..., Tensor] | None = None
    whole: bool = False
    needs: tuple[str, ...] = ()
    options: Mapping[str, float] = field(default_factory=dict)

    def inputs(self, datums: Sequence[Datum]) -> list[list[FloatArray]]:
        """What the loss reads of each datum beside its logprobs, `[inputs][datums]`: the weights, then
        its extras. Where the weight is 0 an extra may hold anything and reads as 0.
        """
        extras = [
            [np.where(d.counted, d.extra[name], 0).astype(np.float32) for d in datums]
            for name in self.reads
        ]
        return [[datum.weights for datum in datums], *extras]

    def of_tokens(self, logprobs: Tensor, *inputs: Tensor) -> Tensor:
        """The loss of tokens, whichever datums they come from. `inputs` in the order of `inputs()`."""
        return self.function(logprobs, *inputs, **self.options)

    def of_datums(
        self, datums: Sequence[Datum], logprobs: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of whole datums, as a custom loss is written."""
        import torch

        counted, inputs = self._counted(datums)
        found = torch.cat(list(logprobs))[counted]
        return self.of_tokens(found, *inputs), {}

    def metrics(self, datums: Sequence[Datum], logprobs: Sequence[FloatArray]) -> dict[str, float]:
        """`clip_fraction` of a loss that clips: the share of the tokens with a weight whose ratio lies
        outside the bounds; 0 where there are none.
        """
        if self.ratio is None:
            return {}
        import torch

        counted, (_, sampled, _, *sequences) = self._counted(datums)
        found = torch.from_numpy(np.concatenate(list(logprobs)))[counted]
        ratio = self.ratio(found, sampled, *sequences)
        low, high = (self.options[name] for name in CLIPS)
        outside = (ratio < low) | (ratio > high)
        return {"clip_fraction": outside.double().mean().item() if len(ratio) else 0.0}

    def _counted(self, datums: Sequence[Datum]) -> tuple[Tensor, list[Tensor]]:
        """Which of all tokens have a weight, and those tokens' inputs, each `[counted]`; last of a loss
        over whole sequences, which datum each belongs to.
        """
        import torch

        inputs: list[np.ndarray] = [np.concatenate(each) for each in self.inputs(datums)]
        if self.whole:
            inputs.append(np.repeat(np.arange(len(datums)), [len(datum) for datum in datums]))
        counted = np.concatenate([datum.counted for datum in datums]).nonzero()[0]
        return torch.from_numpy(counted), [torch.from_numpy(each[counted]) for each in inputs]


CROSS_ENTROPY = Loss("cross_entropy", scoring.cross_entropy)

_EXAMPLES = {
    CLIPS: "Give the bounds of the ratio, such as clip_low 0.8 and clip_high 1.2.",
    (BETA,): "Give how much the square weighs, such as beta 0.01.",
}
_SAMPLED = ("logprobs", "advantages")
_LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        CROSS_ENTROPY,
        Loss("importance_sampling", policy.importance_sampling, _SAMPLED),
        Loss("ppo", policy.ppo, _SAMPLED, policy.token_ratio, needs=CLIPS),
        Loss("cispo", policy.cispo, _SAMPLED, policy.token_ratio, needs=CLIPS),
        Loss("dro", policy.dro, _SAMPLED, needs=(BETA,)),
        Loss("gspo", policy.gspo, _SAMPLED, policy.sequence_ratio, whole=True, needs=CLIPS),
        Loss("reinforce", policy.reinforce, ("advantages",)),
    )
}


def find_loss(spec: LossSpec) -> Loss:
    """The loss of that name with its options.

    Raises Unsupported where there is none, InvalidRequest where the options are not those it needs.
    """
    loss = _LOSSES.get(spec.name)
    if loss is None:
        raise Unsupported(
            f"there is no loss '{spec.name}'{nearest(spec.name, _LOSSES)}",
            hint=f"Use one of {', '.join(_LOSSES)}, or forward_backward_custom with your own.",
        )
    check_options(loss.name, loss.needs, spec.options)
    return replace(loss, options=dict(spec.options))


def check_options(loss: str, needs: tuple[str, ...], options: Mapping[str, float]) -> None:
    """Raise InvalidRequest unless the options are those that the loss needs, each within its bounds."""
    for name in options:
        if name not in needs:
            raise InvalidRequest(
                f"{loss} has no option '{name}'{nearest(name, needs)}",
                hint=f"It takes {' and '.join(needs)}." if needs else "It takes no options.",
            )
    if missing := [name for name in needs if name not in options]:
        raise InvalidRequest(f"{loss} needs {' and '.join(missing)}", hint=_EXAMPLES[needs])
    if needs == CLIPS:
        low, high = (options[clip] for clip in CLIPS)
        if not 0 <= low <= high < math.inf:
            raise InvalidRequest(
                f"{loss} has clip_low {low} and clip_high {high}",
                hint="The bounds must be finite, 0 or more, and clip_low no higher than clip_high.",
            )
    elif needs and not 0 <= options[BETA] < math.inf:
        raise InvalidRequest(
            f"{loss} has beta {options[BETA]}", hint="It must be finite, and 0 or more."
        )
