"""Our datums and losses as Tinker takes them, and its answers as we do.

Tinker's policy losses know no weights. All but one are linear in the advantage wherever the weight is not
negative, w f(r, A) = f(r, w A), so the weights go into the advantages; where a weight is 0, the advantage is
0, and so is the sampler's logprob, whatever stood there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tinker

from kitchen_core.train.losses.named import CLIPS
from kitchen_core.train.types import Datum, FloatArray, LossSpec

STABLE_REINFORCE = "stable_reinforce"
_CROSS_ENTROPY = "cross_entropy"
_NOT_LINEAR = ("dro",)
"""dro's square has no advantage in it, so nothing could keep it from training the prompt."""
_LINEAR_ABOVE_0 = ("ppo", "gspo")


@dataclass(frozen=True, slots=True)
class Request:
    """What a forward_backward sends."""

    data: list[tinker.Datum]
    loss: tinker.types.LossFnType
    config: Mapping[str, float] | None = None


def speaks(datums: Sequence[Datum], spec: LossSpec) -> bool:
    """Whether the service's loss of that name is ours for these datums; else it is computed here."""
    if spec.name in _LINEAR_ABOVE_0:
        return not any((datum.weights < 0).any() for datum in datums)
    return spec.name not in _NOT_LINEAR


def request(datums: Sequence[Datum], spec: LossSpec) -> Request:
    """The request of a loss that the service speaks."""
    match spec.name:
        case "cross_entropy":
            return weighted(datums, [datum.weights for datum in datums])
        case "reinforce":  # cross-entropy, with w A as the weights
            return weighted(datums, [_advantages(datum) for datum in datums])
        case _:
            data = [_policy_datum(datum, spec) for datum in datums]
            return Request(data, spec.name, _clips(spec))


def weighted(datums: Sequence[Datum], weights: Sequence[FloatArray]) -> Request:
    """Cross-entropy with these weights, each `[seq]` or `[seq, k]`."""
    data = [
        _datum(datum, {"weights": row.astype(np.float32)})
        for datum, row in zip(datums, weights, strict=True)
    ]
    return Request(data, _CROSS_ENTROPY)


def logprobs_of(output: tinker.ForwardBackwardOutput, datums: Sequence[Datum]) -> list[FloatArray]:
    """Each datum's target logprobs, shaped as its targets."""
    return [
        found["logprobs"].to_numpy().astype(np.float32).reshape(datum.targets.shape)
        for datum, found in zip(datums, output.loss_fn_outputs, strict=True)
    ]


def _policy_datum(datum: Datum, spec: LossSpec) -> tinker.Datum:
    counted = datum.counted
    inputs = {
        "logprobs": np.where(counted, datum.extra["logprobs"], 0).astype(np.float32),
        "advantages": _advantages(datum),
    }
    if spec.name == "gspo":  # the mean of the log-ratios is over these alone
        inputs["sequence_ratio_mask"] = counted.astype(np.float32)
    return _datum(datum, inputs)


def _advantages(datum: Datum) -> FloatArray:
    """w A, and 0 where nothing counts."""
    found = np.where(datum.counted, datum.extra["advantages"], 0) * datum.weights
    return found.astype(np.float32)


def _clips(spec: LossSpec) -> dict[str, float] | None:
    """The bounds by Tinker's names, always said: the defaults differ from server to server."""
    if not spec.options:
        return None
    return {f"{name}_threshold": float(spec.options[name]) for name in CLIPS}


def _datum(datum: Datum, inputs: Mapping[str, FloatArray]) -> tinker.Datum:
    arrays = {"target_tokens": datum.targets.astype(np.int64), **inputs}
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(datum.tokens.tolist()),
        loss_fn_inputs={
            name: tinker.TensorData.from_numpy(np.ascontiguousarray(array))
            for name, array in arrays.items()
        },
    )
