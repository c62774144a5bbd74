"""The kitchen: TorchLocal through the training port, called as the supervised workflow's stages call it."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import Example, Job, SupervisedJob
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.datums import datum_from_rendered, mean_nll, reduce_weights
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Rendered
from kitchen_core.train.types import (
    AdamParams,
    Datum,
    LoraSpec,
    LossSpec,
    ModelSource,
    SessionSpec,
)


async def start(job: Job, sampling_batch_size: int = 64) -> TrainingSession:
    """The job's model in training."""
    spec = SessionSpec(
        ModelSource("benchmark", Path(job.model)),
        LoraSpec(job.lora_rank) if job.lora_rank else None,
        seed=0,
        device="cuda" if job.device == "cuda" else "cpu",
        threads=job.threads,
        sampling_batch_size=sampling_batch_size,
    )
    return await TorchLocal().start_session(spec)


async def compete(job: SupervisedJob) -> None:
    """Take steps for as long as they are asked for."""
    session = await start(job)
    batches = [[_datum(example) for example in batch] for batch in job.batches()]
    turns = Turns()
    for step in count():
        batch = batches[step % len(batches)]
        weighed = reduce_weights(batch, "token")
        submitted = session.forward_backward(weighed, LossSpec("cross_entropy"))
        update = session.optim_step(AdamParams(job.learning_rate, grad_clip_norm=1.0))
        forward = await submitted
        await update
        mean_nll(forward.logprobs, weighed)
        turns.stepped(sum(map(len, batch)), flops=forward.metrics["flops"])


def _datum(example: Example) -> Datum:
    rendered = Rendered(example.tokens, example.trained)
    return datum_from_rendered(rendered)


if __name__ == "__main__":
    asyncio.run(compete(SupervisedJob.read()))
