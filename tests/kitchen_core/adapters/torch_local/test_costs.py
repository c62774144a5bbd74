"""What a run is said to take, against what torch keeps and against sums worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kitchen_core import builtin
from kitchen_core.adapters.torch_local.costs import costs
from kitchen_core.adapters.torch_local.costs.activations import saved_bytes
from kitchen_core.adapters.torch_local.costs.memory import PROCESS_BYTES, cache_room, memory
from kitchen_core.adapters.torch_local.costs.speed import Speed
from kitchen_core.adapters.torch_local.costs.time import seconds_of
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.llama import _Cache
from kitchen_core.adapters.torch_local.loading import load_model
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.model_shape import ModelShape
from kitchen_core.train.types import Datum, LoraSpec, ModelSource, SessionSpec
from kitchen_core.train.workload import Completions, Device, Documents, Method, Work, Workload

TINY = builtin.model_folder("tiny")
SHAPE = inspect_model_folder(TINY).shape
assert SHAPE is not None
METHOD = Method(
    device="cpu",
    threads=1,
    lora_rank=0,
    lora_targets=(),
    micro_batch_tokens=4096,
    packing=True,
    gradient_checkpointing=False,
    sampling_batch_size=64,
)
LARGE = ModelShape(
    layers=2, hidden=1000, heads=10, kv_heads=5, head_dim=100, intermediate=4000, vocab=10_000, tied=True,
    num_parameters=40_000_000, stored_bytes=80_000_000,
)  # fmt: skip
CPU = Device("CPU", 2**35)


def kept_by_torch(lengths: list[int], *, rank: int, checkpointing: bool = False) -> int:
    """Bytes that a pass over documents of these lengths keeps for its way back, weights apart."""
    spec = SessionSpec(
        model=ModelSource("tiny", TINY),
        lora=LoraSpec(rank, 32, "all-linear") if rank else None,
        seed=0,
        device="cpu",
        threads=1,
        micro_batch_tokens=4096,
        gradient_checkpointing=checkpointing,
    )
    loaded = load_model(spec)
    reader = Reader(loaded.parts, Flops.of(loaded.model), micro_batch_tokens=4096)
    weights = {p.untyped_storage().data_ptr() for p in loaded.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    datums = [Datum(np.full(n, 5), np.full(n, 6), np.ones(n, np.float32)) for n in lengths]
    for index, datum in enumerate(datums):
        datum.tokens[0] = index + 7  # else they would share what they begin with
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = [loaded.parts.hidden(each) for each in reader.micro_batches(datums, lengths)]
    assert held
    return sum(kept.values())


@pytest.mark.parametrize(("rank", "within"), [(0, 0.02), (32, 0.05)])
def test_a_pass_keeps_what_is_said(rank, within):
    documents = Documents(2, 100, 100)
    said = saved_bytes(SHAPE, replace(METHOD, lora_rank=rank), documents, 200)
    assert said == pytest.approx(kept_by_torch([100, 100], rank=rank), rel=within)


def test_documents_of_mixed_lengths_keep_more():
    documents = Documents(3, 80, 100, spread=16)
    said = saved_bytes(SHAPE, METHOD, documents, 240)
    assert said == pytest.approx(kept_by_torch([100, 80, 60], rank=0), rel=0.05)


def test_checkpointing_keeps_a_layers_input_and_one_layers_rest():
    documents = Documents(2, 100, 100)
    method = replace(METHOD, lora_rank=32, gradient_checkpointing=True)
    one_layer = kept_by_torch([100, 100], rank=32) / SHAPE.layers
    inputs = kept_by_torch([100, 100], rank=32, checkpointing=True)
    said = saved_bytes(SHAPE, method, documents, 200)
    assert said == pytest.approx(one_layer + inputs, rel=0.1)


def test_training_all_weights_by_hand():
    step = Work(trained=(Documents(1, 10, 10),), updates=1)
    parts = memory(Workload(LARGE, METHOD, step, steps=1))
    weights = 4 * 40_000_000
    table = 4 * 10_000 * 1000
    a_layer = 6 * 1000 + 2 * 1000 + 2 * 500 + 4 * 4000
    assert parts == {
        "process": PROCESS_BYTES["cpu"],
        "weights": weights,
        "optimizer": 2 * weights,
        "gradients": weights + table,  # the embedding's comes a second time
        "activations": 4 * 10 * (2 * a_layer + 2 * 1000) // 2,
    }


def test_an_adapter_on_a_gpu_by_hand():
    method = replace(METHOD, device="cuda", lora_rank=4, lora_targets=("q_proj",))
    step = Work(trained=(Documents(1, 10, 10),), updates=1)
    parts = memory(Workload(LARGE, method, step, steps=1))
    adapter = 2 * 4 * (1000 + 1000)
    assert parts["weights"] == 2 * 40_000_000  # bfloat16
    assert (parts["adapter"], parts["optimizer"]) == (4 * adapter, 8 * adapter)


def test_a_model_is_loaded_from_a_file_that_is_mapped():
    parts = memory(Workload(LARGE, METHOD, Work(), steps=0))
    assert parts["weight file"] == 80_000_000


def test_smaller_passes_take_less_until_a_document_fills_one():
    def at(tokens: int) -> int:
        method = replace(METHOD, micro_batch_tokens=tokens, lora_rank=8)
        step = Work(trained=(Documents(32, 500, 600),), updates=1)
        return sum(memory(Workload(LARGE, method, step, steps=1)).values())

    assert at(8000) > at(2000) > at(600) == at(100)


@pytest.mark.parametrize(("prompt", "completion"), [(10, 8), (10, 64), (10, 200), (300, 1000)])
def test_a_cache_grows_as_is_said(prompt, completion):
    room = prompt + min(completion, 64)
    cache = _Cache(room)
    cache.add(torch.zeros(1, 1, prompt, 2), torch.zeros(1, 1, prompt, 2))
    for _ in range(completion):
        keys, _ = cache.add(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
    assert keys.untyped_storage().nbytes() == 2 * 2 * 4 * cache_room(prompt, completion)


def test_keys_and_values_of_all_rows_are_counted():
    method = replace(METHOD, sampling_batch_size=100)
    sampling = Work(sampled=(Completions(1000, 1000, 50, 50, 20, 40),))
    parts = memory(Workload(LARGE, method, sampling, steps=1))
    assert parts["KV cache"] == 2 * 4 * 2 * 500 * 100 * (50 + 40)


ONE_A_SECOND = Speed(flops=1.0, bandwidth=1e30, layer_s=0, decode_s=0, step_s=0, notes=())


@pytest.mark.parametrize("rank", [0, 32])
def test_arithmetic_is_that_of_the_count_that_mfu_uses(rank):
    lora = LoraSpec(rank, 32, "all-linear") if rank else None
    spec = SessionSpec(model=ModelSource("tiny", TINY), lora=lora, seed=0, device="cpu", threads=1)
    counted = Flops.of(load_model(spec).model)
    documents = Documents(8, 50, 50)
    load = Workload(SHAPE, replace(METHOD, lora_rank=rank), Work(trained=(documents,)), steps=1)
    trained = seconds_of(load.step, load, ONE_A_SECOND)
    assert trained == pytest.approx(counted.training([50] * 8, 8 * 50), rel=0.01)
    read = seconds_of(Work(read=(documents,)), load, ONE_A_SECOND)
    assert read == pytest.approx(counted.forward([50] * 8, 8 * 50), rel=0.01)


def test_checkpointing_computes_the_layers_once_more_and_the_output_layer_not():
    def seconds(*, checkpointing: bool) -> float:
        method = replace(METHOD, gradient_checkpointing=checkpointing)
        load = Workload(LARGE, method, Work(trained=(Documents(1, 10, 10),)), steps=1)
        return seconds_of(load.step, load, ONE_A_SECOND)

    layer = 2 * 1000 * (1000 + 500) + 3 * 1000 * 4000  # queries, keys, values, result; the MLP
    pairs = 4 * 2 * 1000 * 10
    assert seconds(checkpointing=False) == 10 * (6 * 2 * layer + 3 * pairs + 6 * 10_000_000)
    assert seconds(checkpointing=True) == 10 * (8 * 2 * layer + 4 * pairs + 6 * 10_000_000)


def test_twice_the_threads_are_faster_and_more_work_takes_longer():
    def seconds(count: int, threads: int) -> float:
        method = replace(METHOD, threads=threads)
        step = Work(trained=(Documents(count, 200, 200),), updates=1)
        found = costs(Workload(LARGE, method, step, steps=1), CPU).seconds_a_step
        assert found is not None
        return found

    assert seconds(8, 1) > seconds(8, 2)
    assert seconds(16, 1) > 1.5 * seconds(8, 1)
