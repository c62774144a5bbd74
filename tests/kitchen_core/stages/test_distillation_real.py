"""Distillation of a real model on GSM8K's questions, which it teaches itself.

Give the folders: KITCHEN_TEST_DATA=FOLDER KITCHEN_TEST_MODEL=FOLDER make test-slow
"""

import math
import os
from pathlib import Path

import pytest

from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflows import DistillationConfig, distillation
from tests.kitchen_core.stages.support import resolver
from tests.kitchen_core.stages.test_distillation import Ports
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

DATA = Path(os.environ.get("KITCHEN_TEST_DATA", "/nowhere"))
MODEL = Path(os.environ.get("KITCHEN_TEST_MODEL", "/nowhere"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="KITCHEN_TEST_DATA names no folder"),
    pytest.mark.skipif(not MODEL.is_dir(), reason="KITCHEN_TEST_MODEL names no folder"),
]


@pytest.mark.parametrize("kl", ["exact", "sampled"])
async def test_two_steps_with_one_model_as_teacher_and_student(kl, tmp_path):
    config = DistillationConfig(
        model=f"file:{MODEL}",
        teacher=f"file:{MODEL}",
        dataset=f"file:{DATA / 'gsm8k' / 'train.jsonl'}",
        kl=kl,
        max_steps=2,
        groups_per_batch=4,
        max_length=512,
        max_tokens=24,
        learning_rate=1e-4,
        lora_rank=8,
        eval_every=2,
        eval_examples=2,
        eval_samples=2,
        device="cpu",
        threads=2,
    )
    with fresh_store(tmp_path) as store:
        writer = start(store)
        ctx = context(writer, tmp_path, config)
        ctx.connector = Ports(TorchLocal())
        ctx.resolver = resolver(writer)
        await Runner(distillation, ctx).run()
        series = {name: [v for _, v in each] for name, each in store.series(writer.run_id).items()}
    first, second = series["teacher_kl"]
    assert first == pytest.approx(0, abs=1e-4)  # a fresh adapter changes nothing
    assert math.isfinite(second)
    assert series["num_sequences"] == [4, 4]
    assert 4 <= series["num_loss_tokens"][0] <= 4 * 24
    assert series["optim/kl_sample_train_v2"] == pytest.approx([0, 0], abs=1e-4)
    assert 0 < series["optim/entropy"][0] < 5
