"""Two steps of GSM8K with a real small model and the real verifier.

Give both folders: KITCHEN_TEST_DATA=FOLDER KITCHEN_TEST_MODEL=FOLDER make test-slow
"""

import math
import os
from pathlib import Path

import pytest
import torch

from kitchen_core.adapters.python_bridge import adapter
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflows import ReinforcementConfig, reinforcement
from recipes.math_rl import recipe
from tests.kitchen_core.stages.support import Connector, resolver
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

DATA = Path(os.environ.get("KITCHEN_TEST_DATA", "/nowhere"))
MODEL = Path(os.environ.get("KITCHEN_TEST_MODEL", "/nowhere"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="KITCHEN_TEST_DATA names no folder"),
    pytest.mark.skipif(not MODEL.is_dir(), reason="KITCHEN_TEST_MODEL names no folder"),
]

CHANGES = {
    "model": f"file:{MODEL}",
    "dataset": f"file:{DATA / 'gsm8k' / 'train.jsonl'}",
    "device": "cpu",
    "threads": 1,
    "lora_rank": 8,
    "max_steps": 2,
    "groups_per_batch": 2,
    "group_size": 2,
    "max_tokens": 48,
    "max_length": 256,
    "eval_samples": 2,
    "eval_every": 2,
    "remove_constant_groups": False,
    "kl_penalty_coef": 0.05,
}


async def test_two_steps_of_gsm8k(tmp_path):
    torch.set_num_threads(1)
    config = recipe.resolved("gpu", CHANGES)
    assert isinstance(config, ReinforcementConfig)
    bridge = adapter.ports["python_bridge"]()
    with fresh_store(tmp_path) as store:
        writer = start(store)
        ctx = context(writer, tmp_path, config)
        ctx.connector = Connector(TorchLocal(), bridge)
        ctx.registry = writer
        ctx.resolver = resolver(writer)
        try:
            await Runner(reinforcement, ctx).run()
        finally:
            await bridge.close()
        series = {
            name: [v for _, v in values] for name, values in store.series(writer.run_id).items()
        }
    assert series["env/all/total_episodes"] == [4, 4]
    assert all(0 <= share <= 1 for share in series["env/all/correct"])
    for total, right, form in zip(
        series["env/all/reward/total"],
        series["env/all/correct"],
        series["env/all/format"],
        strict=True,
    ):
        assert total == pytest.approx(right + 0.1 * (form - 1))
    assert series["optim/kl_sample_train_v1"] == pytest.approx([0, 0], abs=1e-4)
    assert series["kl_policy_base"][0] == pytest.approx(0, abs=1e-4)
    assert all(0 < entropy < math.log(50_000) for entropy in series["optim/entropy"])
    assert len(series["test/env/all/correct"]) == 2
    assert "rollout_errors/total" not in series
