"""What a pass holds at most, measured by the largest tensors that torch makes."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, LlamaConfig

from kitchen_core.adapters.torch_local.checkpointing import checkpoint_layers
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.parts import take_apart
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.train.types import Datum

VOCAB, LENGTH, DOCUMENTS = 50_000, 400, 4
FULL_LOGITS = VOCAB * LENGTH * DOCUMENTS


class Largest(TorchDispatchMode):
    """The most elements of any tensor that an operation gives."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


class Saved:
    """The bytes that graphs keep for the backward pass, each storage once."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        self._sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(self._sizes.values())


def make_datums() -> list[Datum]:
    tokens = np.arange(LENGTH + 1)
    return [Datum(tokens[:-1], tokens[1:], np.ones(LENGTH, np.float32))] * DOCUMENTS


def make_model(layers: int = 1, vocab: int = VOCAB):
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    # As with an adapter: the weights' own gradient would be as large as the weights.
    return model.requires_grad_(False)


def test_full_logits_are_never_held():
    model = make_model()
    model.model.layers.requires_grad_(True)
    chunk = VOCAB * 20
    passes = Passes(
        Reader(
            take_apart(model, torch.device("cpu")),
            Flops.of(model),
            micro_batch_tokens=4096,
            logits_at_a_time=chunk,
        )
    )
    for run in (passes.forward_backward, passes.forward):
        with Largest() as largest:
            run(make_datums())
        assert largest.elements <= chunk < FULL_LOGITS / 50


def test_no_mask_grows_with_the_square_of_the_row():
    model = make_model(vocab=64)
    model.model.layers.requires_grad_(True)
    passes = Passes(
        Reader(take_apart(model, torch.device("cpu")), Flops.of(model), micro_batch_tokens=4096)
    )
    datums = [Datum(d.tokens % 64, d.targets % 64, d.weights) for d in make_datums()]
    short = Datum(
        *(array[:3] for array in (datums[0].tokens, datums[0].targets, datums[0].weights))
    )
    with Largest() as largest:
        passes.forward_backward([*datums, short])
    assert largest.elements < (LENGTH * DOCUMENTS) ** 2 / 10


def test_checkpointed_layers_keep_only_what_goes_into_them():
    kept = []
    for checkpointed in (False, True):
        model = make_model(layers=8)
        model.model.layers.requires_grad_(True)
        if checkpointed:
            checkpoint_layers(model)
        passes = Passes(
            Reader(take_apart(model, torch.device("cpu")), Flops.of(model), micro_batch_tokens=4096)
        )
        batch = next(passes._reader.micro_batches(make_datums(), [LENGTH] * DOCUMENTS))
        saved = Saved()
        with torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda tensor: tensor):
            passes._parts.hidden(batch)
        kept.append(saved.bytes)
    assert kept[1] < kept[0] / 5
