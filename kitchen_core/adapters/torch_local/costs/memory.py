"""The memory of a run, by parts, at the moment when it is most.

A run goes through phases, which hold different things: it loads a model, scores by a reference, trains,
measures and samples. What is said to be needed is the phase that needs most.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_core.adapters.torch_local.costs.activations import forward_bytes, saved_bytes
from kitchen_core.adapters.torch_local.costs.chunks import CHUNK_LOGITS
from kitchen_core.train.model_shape import ModelShape
from kitchen_core.train.workload import Completions, Documents, Method, Work, Workload

Parts = dict[str, int]

PROCESS_BYTES = {"cpu": 385 * 2**20, "cuda": 550 * 2**20}
"""A worker that has loaded no model: its imports (measured with Python 3.11 and torch 2.13 for CPUs), the
context of CUDA and what cuBLAS keeps for itself.
"""

_CACHE_ROOM = 64  # tokens, as `llama` begins with
_MOMENTS = 2


def memory(load: Workload) -> Parts:
    """Bytes by part of the phase that needs most."""
    return max(_phases(load), key=lambda parts: sum(parts.values()))


def trained_parameters(load: Workload) -> int:
    """Weights that have a gradient."""
    method = load.method
    if not method.lora_rank:
        return load.model.num_parameters
    return load.model.lora_parameters(method.lora_rank, method.lora_targets)


def micro_batch(documents: Documents, method: Method) -> float:
    """Tokens of the largest pass: what `packing` puts into one, or a document that is longer."""
    return min(documents.most, max(method.micro_batch_tokens, documents.longest))


def weight_bytes(model: ModelShape, *, lora: bool, device: str) -> int:
    """A model in training, without its adapter: float32, but bfloat16 where a GPU has it frozen."""
    return model.num_parameters * (2 if lora and device == "cuda" else 4)


def _phases(load: Workload) -> Iterable[Parts]:
    yield _loading(load)
    if load.reference is not None:
        yield _held(load) | {"reference": _frozen_bytes(load.reference, load.method)}
    for work in (load.step, load.evaluation, load.start):
        for documents in work.trained:
            yield from _training(load, work, documents)
        for documents in (*work.read, *work.taught):
            yield _reading(load, documents)
        for completions in work.sampled:
            yield _sampling(load, completions)


def _held(load: Workload, *, moments: bool = False) -> Parts:
    """What is there all the time; the moments from the first update on."""
    method, trained = load.method, trained_parameters(load)
    lora = bool(method.lora_rank)
    parts = {
        "process": PROCESS_BYTES[method.device],
        "weights": weight_bytes(load.model, lora=lora, device=method.device),
        "adapter": 4 * trained if lora else 0,
        "optimizer": 4 * _MOMENTS * trained if moments else 0,
        "copies": 4 * trained * load.copies,
        "teachers": sum(_frozen_bytes(each, method) for each in load.teachers),
    }
    return {name: size for name, size in parts.items() if size}


def _loading(load: Workload) -> Parts:
    """Weights of a file that is mapped into memory, and the model that is made of them; a GPU holds only that."""
    if load.method.device == "cuda":
        return _held(load)
    return _held(load) | {"weight file": load.model.stored_bytes or 0}


def _training(load: Workload, work: Work, documents: Documents) -> Iterable[Parts]:
    """Two moments. When the last pass goes back, all it keeps is there, and the gradient of the passes
    before it; when it has gone back, the whole gradient is, and that of the embedding once more, where the
    output layer is the same tensor.
    """
    model, method = load.model, load.method
    held, trained = _held(load, moments=True), trained_parameters(load)
    tokens = micro_batch(documents, method)
    several = documents.most > tokens or len(work.trained) > 1
    whole = not method.lora_rank
    yield held | {
        "gradients": 4 * trained if several else 0,
        "activations": saved_bytes(model, method, documents, tokens),
        "logits": _logit_bytes(load, documents.scored * tokens, gradients=True),
    }
    yield held | {
        "gradients": 4 * (trained + (model.embedding if whole and model.tied else 0)),
        "activations": saved_bytes(model, method, documents, tokens) // max(1, model.layers),
    }


def _reading(load: Workload, documents: Documents) -> Parts:
    """A pass without a gradient holds one layer's intermediate results."""
    tokens = micro_batch(documents, load.method)
    return _held(load, moments=True) | {
        "activations": forward_bytes(load.model, load.method, tokens),
        "logits": _logit_bytes(load, documents.scored * tokens, gradients=False),
    }


def _sampling(load: Workload, completions: Completions) -> Parts:
    """Keys and values of all rows decoded together; in float32 the adapter is folded into copies of the
    weights meanwhile.
    """
    model, method = load.model, load.method
    rows = min(completions.rows, method.sampling_batch_size)
    number = 4 if method.device == "cpu" else 2
    room = cache_room(completions.longest_prompt, completions.longest)
    folds = method.lora_rank and method.device == "cpu"
    return _held(load, moments=True) | {
        "folded weights": 4 * model.body if folds else 0,
        "KV cache": 2 * number * model.layers * model.kv_width * rows * room,
        "logits": 4 * 4 * rows * model.vocab,  # them, their softmax, its sums, and what is compared
        "activations": forward_bytes(model, method, rows * completions.prompt),
    }


def cache_room(prompt: int, completion: int) -> int:
    """Tokens that a cache has room for in the end: some beyond its prompts, and as many again whenever it is full."""
    room = prompt + min(completion, _CACHE_ROOM)
    while room < prompt + completion:
        room += room + 1
    return room


def _logit_bytes(load: Workload, predictions: float, *, gradients: bool) -> int:
    """Logits of one chunk, in float32: them or their gradient, their log-softmax, and its gradient; and
    the gradient of the output layer, where it is trained, before it is added to what there is.
    """
    model, method = load.model, load.method
    chunk = max(1, CHUNK_LOGITS[method.device] // model.vocab)
    tensors = 3 if gradients else 2
    at_once = int(min(predictions, chunk)) * model.vocab * 4 * tensors
    of_head = 4 * model.embedding if gradients and not method.lora_rank else 0
    return at_once + of_head


def _frozen_bytes(model: ModelShape, method: Method) -> int:
    return model.num_parameters * (4 if method.device == "cpu" else 2)
