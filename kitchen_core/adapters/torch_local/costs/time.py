"""The time of a run: arithmetic at the device's speed, memory that has to be read, and what every pass
takes however small.

Arithmetic is counted as in `flops`: 6 N a trained token, 4 N where the weight is frozen, 2 N without a
gradient, and of attention to T tokens 4 L q T forward and 12 L q T both ways (Chowdhery et al. 2022,
appendix B). What gradient checkpointing computes twice takes its time twice: the layers' forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_core.adapters.torch_local.costs.memory import (
    micro_batch,
    trained_parameters,
    weight_bytes,
)
from kitchen_core.adapters.torch_local.costs.speed import Speed
from kitchen_core.train.model_shape import ModelShape
from kitchen_core.train.workload import Completions, Documents, Method, Work, Workload

LOADING_BYTES_S = 3e8
"""A model is read, hashed and converted so fast, and stored at the end and read back no faster."""

STARTING_S = 0.5
PREPARED_ROWS_S = 5000.0


def seconds_of(work: Work, load: Workload, speed: Speed) -> float:
    """One turn of work."""
    return sum(_parts(work, load, speed))


def other_seconds(load: Workload, speed: Speed) -> float:
    """Everything but the steps: start and end, evaluations, checkpoints."""
    model, method = load.model, load.method
    weights = weight_bytes(model, lora=bool(method.lora_rank), device=method.device)
    others = sum(4 * each.num_parameters for each in load.teachers)
    state = 12 * trained_parameters(load)
    return (
        STARTING_S
        + load.rows / PREPARED_ROWS_S
        + (3 * weights + others + state * load.saves) / LOADING_BYTES_S
        + seconds_of(load.start, load, speed)
        + load.evaluations * seconds_of(load.evaluation, load, speed)
    )


def _parts(work: Work, load: Workload, speed: Speed) -> Iterable[float]:
    model, method = load.model, load.method
    adapter = trained_parameters(load) if method.lora_rank else 0
    for documents in work.trained:
        yield _passes(model, adapter, method, documents, speed, trained=True)
    for documents in work.read:
        yield _passes(model, adapter, method, documents, speed, trained=False)
    for documents in work.taught:
        for teacher in load.teachers or (load.model,):
            yield _passes(teacher, 0, method, documents, speed, trained=False)
    for completions in work.sampled:
        yield _decoding(model, method, completions, speed)
    if work.updates:
        moved = 28 * trained_parameters(
            load
        )  # weight, gradient and both moments read, three written
        yield work.updates * (speed.step_s + moved / speed.bandwidth)


def _passes(
    model: ModelShape,
    adapter: int,
    method: Method,
    documents: Documents,
    speed: Speed,
    *,
    trained: bool,
) -> float:
    """adapter: its weights, 0 for all weights of the model and for models that have none."""
    again = 1 if trained and method.gradient_checkpointing else 0
    own = 2 if not trained else 4 if method.lora_rank else 6
    changing = 6 if trained else 2
    pairs = 4 * model.layers * model.query_width * min(documents.tokens, documents.longest)
    a_token = (
        (own + 2 * again) * model.body_of_a_token
        + (changing + 2 * again) * adapter
        + (changing / 2 + again) * pairs
    )
    flops = documents.total * (a_token + documents.scored * own * model.embedding)
    number = -(-documents.total // max(micro_batch(documents, method), 1))
    return flops / speed.flops + number * model.layers * speed.layer_s * (3 if trained else 1)


def _decoding(model: ModelShape, method: Method, completions: Completions, speed: Speed) -> float:
    """Prompts are read once each; then every batch reads all weights for each further token."""
    weights = model.body_of_a_token + model.embedding
    read = completions.prompts * completions.prompt * 2 * model.body_of_a_token
    said = completions.rows * completions.tokens * 2 * weights
    batches = -(-completions.rows // method.sampling_batch_size)
    turns = batches * completions.tokens
    moved = turns * weights * (4 if method.device == "cpu" else 2)
    overhead = turns * (model.layers + 2) * speed.decode_s
    return max((read + said) / speed.flops, moved / speed.bandwidth) + overhead
