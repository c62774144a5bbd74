"""The divergence from a teacher over the whole vocabulary, a chunk of predictions at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.micro_batch import Predictions
from kitchen_core.train.losses.divergence import DIVERGENCES
from kitchen_core.train.types import Divergence

if TYPE_CHECKING:
    from kitchen_core.adapters.torch_local.engine import Opened


@dataclass(frozen=True, slots=True)
class FromTeacher:
    """sum(weights * KL) of a micro-batch's predictions; their one input is the weights.

    states: [n, hidden] what the teacher makes its own predictions of the same tokens from.
    """

    divergence: Divergence
    teacher: Opened
    states: Tensor
    predictions: Predictions

    def __call__(self, logits: Tensor, chunk: slice) -> tuple[Tensor, Tensor]:
        """The targets' logprobs and the loss, from the student's logits `[chunk, vocab]`.

        Where the models' vocabularies are padded to different sizes, over what both have.
        """
        with torch.no_grad(), self.teacher() as engine:
            taught = engine.reader.parts.logits(self.states[chunk])
        shared = min(logits.shape[-1], taught.shape[-1])
        student, teacher = _logprobs(logits, shared), _logprobs(taught, shared)
        (weights,) = self.predictions.inputs
        apart = DIVERGENCES[self.divergence](student, teacher)
        targets = self.predictions.targets[chunk, None]
        return student.gather(-1, targets).squeeze(-1), (weights[chunk] * apart).sum()


def _logprobs(logits: Tensor, shared: int) -> Tensor:
    """Over the first `shared` tokens, in float32 at least."""
    logits = logits[:, :shared]
    return (logits if logits.dtype.itemsize > 4 else logits.float()).log_softmax(-1)
