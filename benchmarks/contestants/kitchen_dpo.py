"""The kitchen's DPO: TorchLocal through the training port, called as the preference workflow's stages call it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import Pair, PreferenceJob
from benchmarks.contestants.kitchen import start
from kitchen_core.train.datums import datum_of_completion
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.types import AdamParams, Datum

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss

Comparison = tuple[Datum, Datum, float]
"""The chosen completion, the rejected one, and by how much the reference prefers the chosen."""


async def compete(job: PreferenceJob) -> None:
    """Take steps for as long as they are asked for."""
    session = await start(job)
    batches = [await compared(session, pairs) for pairs in job.batches()]
    turns = Turns()
    for step in count():
        batch = batches[step % len(batches)]
        turns.stepped(await take_step(session, job, batch), items=len(batch))


async def take_step(
    session: TrainingSession, job: PreferenceJob, batch: Sequence[Comparison]
) -> int:
    """Update once. Returns how many tokens were predicted."""
    datums = [datum for chosen, rejected, _ in batch for datum in (chosen, rejected)]
    loss = _sigmoid_loss([margin for _, _, margin in batch], job.beta)
    submitted = session.forward_backward_custom(datums, loss)
    update = session.optim_step(AdamParams(job.learning_rate, grad_clip_norm=1.0))
    await submitted
    await update
    return sum(map(len, datums))


async def compared(session: TrainingSession, pairs: Sequence[Pair]) -> list[Comparison]:
    """Pairs with what the reference says of them."""
    completions = [[pair.prompt, answer] for pair in pairs for answer in pair[1:]]
    scored = await session.reference().compute_logprobs([[*p, *a] for p, a in completions])
    sums = [
        float(row[len(prompt) - 1 :].sum())
        for row, (prompt, _) in zip(scored, completions, strict=True)
    ]
    datums = [datum_of_completion(prompt, answer) for prompt, answer in completions]
    return [
        (datums[i], datums[i + 1], sums[i] - sums[i + 1]) for i in range(0, len(completions), 2)
    ]


def _sigmoid_loss(reference_margins: Sequence[float], beta: float) -> CustomLoss:
    """-log sigmoid(beta * (margin - reference's margin)), the mean over pairs (Rafailov et al. 2023)."""

    def loss(
        datums: Sequence[Datum], logprobs: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        sums = torch.stack(
            [
                (row * torch.from_numpy(datum.weights)).sum()
                for row, datum in zip(logprobs, datums, strict=True)
            ]
        )
        margins = sums[0::2] - sums[1::2] - torch.tensor(reference_margins)
        mean = -logsigmoid(beta * margins).mean()
        return mean, {"margin": margins.mean().item()}

    return loss


if __name__ == "__main__":
    asyncio.run(compete(PreferenceJob.read()))
