"""Who may teach, and what a teacher reads so that its predictions stand beside the student's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.types import Datum

_WHO_MAY = "Take reference(), a snapshot or teacher() of the session in training."


def not_at_hand() -> Unsupported:
    """Of a teacher that is not the session's own."""
    return Unsupported(
        "the teacher does not belong to this session, so its logits are not at hand", hint=_WHO_MAY
    )


def in_training() -> InvalidRequest:
    """Of a live sampler as a teacher."""
    return InvalidRequest(
        "the teacher is the model in training, from which its divergence is zero", hint=_WHO_MAY
    )


def taught_datums(datums: Sequence[Datum], prompts: Sequence[Sequence[int]]) -> list[Datum]:
    """Each datum with `prompts[i]` in place of its own prompt: of all that the model has read when it
    makes the first prediction that counts.

    As many predictions count as before, in the same order. A datum of which none counts stays as it
    is. Raises InvalidRequest where there are not as many prompts, or one is empty.
    """
    if len(prompts) != len(datums):
        raise InvalidRequest(
            f"{len(prompts)} prompts were given for {len(datums)} datums",
            hint="Give one for each datum, in their order.",
        )
    return [_taught(index, *both) for index, both in enumerate(zip(datums, prompts, strict=True))]


def _taught(index: int, datum: Datum, prompt: Sequence[int]) -> Datum:
    if not datum.counted.any():
        return datum
    if len(prompt) == 0:
        raise InvalidRequest(
            f"prompt {index} is empty", hint="A teacher needs at least one token to predict from."
        )
    first = int(datum.counted.argmax())
    read = np.asarray(prompt, np.int64)
    unread = np.zeros(len(read) - 1, np.int64)  # targets of the prompt, which nobody asks for
    return replace(
        datum,
        tokens=np.concatenate([read, datum.tokens[first + 1 :]]),
        targets=np.concatenate([unread, datum.targets[first:]]),
        weights=np.concatenate([unread.astype(np.float32), datum.weights[first:]]),
        extra={},
    )
