"""Teachers on the session's device: what they hold, and whose vocabulary fits."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from kitchen_core.train.types import ModelSource
from tests.contracts.data import DATUMS
from tests.contracts.models import make_llama

PROMPTS = [[1, 2, 3]] * len(DATUMS)


async def test_a_closed_teacher_leaves_no_weights_behind(start, llama: Path):
    session = await start()
    teacher = await session.teacher(ModelSource("org/other", llama))
    with teacher.opened() as engine:
        weight = weakref.ref(engine.decoder.model.get_input_embeddings().weight)
    del engine
    await teacher.close()
    gc.collect()
    assert weight() is None


async def test_a_session_takes_its_teachers_along(start, llama: Path):
    session = await start()
    teacher = await session.teacher(ModelSource("org/other", llama))
    with teacher.opened() as engine:
        weight = weakref.ref(engine.decoder.model.get_input_embeddings().weight)
    del engine
    await session.close()
    gc.collect()
    assert weight() is None


async def test_a_teacher_may_pad_its_vocabulary_further(start, llama: Path, tmp_path: Path):
    """As the larger models of a family do; the tokens are the same."""
    folder = shutil.copytree(llama, tmp_path / "padded")
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(272, mean_resizing=False)
    model.save_pretrained(folder)
    session = await start()
    padded = await session.teacher(ModelSource("org/padded", folder))
    same = await session.teacher(ModelSource("org/same", llama))
    losses = [
        (await session.forward_backward_divergence(DATUMS, teacher, PROMPTS, "reverse_kl")).metrics[
            "loss"
        ]
        for teacher in (padded, same)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] > 1


async def test_a_teacher_is_another_model_than_the_student(start, tmp_path: Path):
    session = await start()
    other = await session.teacher(ModelSource("org/other", make_llama(tmp_path / "o", seed=1)))
    [ours] = await session.reference().compute_logprobs([[1, 2, 3]])
    [theirs] = await other.compute_logprobs([[1, 2, 3]])
    assert abs(ours - theirs).max() > 0.1
