"""Adapters: where they go, how they are drawn, and which can be continued."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import AdamParams, LoraSpec, LossSpec, ModelSource
from tests.contracts.data import DATUMS


async def adapter_tensors(session, folder):
    await session.export(folder)
    return load_file(folder / "adapter_model.safetensors")


async def test_all_linear_modules_but_the_output_are_adapted(start, tmp_path):
    tensors = await adapter_tensors(await start(LoraSpec(rank=4)), tmp_path / "a")
    names = {name.split(".")[-3] for name in tensors}
    attention, mlp = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}
    assert names == attention | mlp
    assert len(tensors) == 2 * 7 * 2  # layers x modules x (A, B)


async def test_the_seed_decides_what_it_starts_from(start, tmp_path):
    drawn = [
        await adapter_tensors(await start(LoraSpec(rank=4), seed=seed), tmp_path / str(index))
        for index, seed in enumerate([1, 1, 2])
    ]
    a = next(name for name in drawn[0] if "lora_A" in name)
    assert (drawn[0][a] == drawn[1][a]).all()
    assert (drawn[0][a] != drawn[2][a]).any()


async def test_named_targets_are_the_only_ones(start, tmp_path):
    tensors = await adapter_tensors(
        await start(LoraSpec(rank=2, targets=("v_proj", "q_proj"))), tmp_path / "a"
    )
    assert {name.split(".")[-3] for name in tensors} == {"q_proj", "v_proj"}


async def test_a_target_that_the_model_does_not_have_is_named(start):
    with pytest.raises(InvalidRequest, match=r"'q_prj'.*did you mean 'q_proj'") as refused:
        await start(LoraSpec(rank=2, targets=("v_proj", "q_prj")))
    assert "down_proj, embed_tokens, gate_proj" in refused.value.hint


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
async def test_one_side_of_tied_weights_is_adapted_alone_and_merged_alone(
    start, llama, tmp_path, target
):
    """The tied tensor is shared by both; what is folded into one must not show in the other."""
    adapted = await start(LoraSpec(rank=4, targets=(target,)))
    for _ in range(3):
        adapted.forward_backward(DATUMS, LossSpec())
        await adapted.optim_step(AdamParams(learning_rate=1e-2))
    await adapted.export(tmp_path / "adapter")
    source = ModelSource("org/tiny", llama, adapter=tmp_path / "adapter")
    merged = await start(source=source)
    await merged.export(tmp_path / "whole")
    exported = await start(source=ModelSource("x", tmp_path / "whole"))
    losses = [
        (await session.forward(DATUMS, LossSpec())).metrics["loss"]
        for session in (adapted, merged, exported)
    ]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)
    assert losses[0] < (await (await start()).forward(DATUMS, LossSpec())).metrics["loss"] - 5


async def test_no_targets_at_all_are_refused(start):
    with pytest.raises(InvalidRequest, match="no modules"):
        await start(LoraSpec(rank=2, targets=()))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (LoraSpec(rank=4, alpha=8), ("8", "32")),
        (LoraSpec(rank=4, targets=("q_proj",)), ("q_proj", "up_proj")),
    ],
)
async def test_an_adapter_of_another_shape_is_not_continued(start, llama, tmp_path, other, what):
    await (await start(LoraSpec(rank=4))).export(tmp_path / "adapter")
    source = ModelSource("org/tiny", llama, adapter=tmp_path / "adapter")
    with pytest.raises(InvalidRequest) as refused:
        await start(other, source=source)
    assert all(value in refused.value.hint for value in what)


async def test_a_folder_of_the_other_kind_is_refused(start, llama, tmp_path):
    await (await start(LoraSpec(rank=4))).export(tmp_path / "adapter")
    with pytest.raises(InvalidRequest, match="an adapter of org/tiny"):
        await start(source=ModelSource("x", tmp_path / "adapter"))
    with pytest.raises(InvalidRequest, match="a whole model"):
        await start(source=ModelSource("x", llama, adapter=llama))


async def test_a_state_of_another_shape_is_refused_with_both(start, tmp_path):
    await (await start(LoraSpec(rank=4))).save_state(tmp_path / "state")
    with pytest.raises(InvalidRequest, match=r"\[4, 64\].*\[8, 64\]") as refused:
        await (await start(LoraSpec(rank=8))).load_state(tmp_path / "state")
    assert "LoRA" in refused.value.hint
