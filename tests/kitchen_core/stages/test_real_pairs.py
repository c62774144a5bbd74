"""Preference training of a real model on real pairs: two steps, with an adapter.

KITCHEN_TEST_DATA=FOLDER KITCHEN_TEST_MODEL=FOLDER make test-slow
"""

import math
import os
from pathlib import Path

import pytest

from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflows import PreferenceConfig, preference
from tests.kitchen_core.stages.support import Connector, resolver
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

DATA = Path(os.environ.get("KITCHEN_TEST_DATA", "/nowhere")) / "preference" / "sharegpt_pairs.json"
MODEL = Path(os.environ.get("KITCHEN_TEST_MODEL", "/nowhere"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_file(), reason="KITCHEN_TEST_DATA has no pairs"),
    pytest.mark.skipif(not MODEL.is_dir(), reason="KITCHEN_TEST_MODEL names no folder"),
]


async def test_two_steps_of_dpo(tmp_path):
    config = PreferenceConfig(
        model=f"file:{MODEL}",
        dataset=f"file:{DATA}",
        lora_rank=8,
        learning_rate=1e-4,
        max_steps=2,
        batch_size=4,
        max_length=256,
        test_fraction=0.05,
        eval_every=2,
        eval_examples=4,
        eval_samples=2,
        max_tokens=16,
        save_every=0,
        device="cpu",
        threads=1,
    )
    with fresh_store(tmp_path) as store:
        writer = start(store)
        ctx = context(writer, tmp_path, config)
        ctx.connector = Connector(TorchLocal())
        ctx.resolver = resolver(writer)
        await Runner(preference, ctx).run()
        series = store.series(writer.run_id)
        logged = store.read_events(run_id=writer.run_id, kinds=[EventKind.SAMPLE_LOGGED])
    losses = [value for _, value in series["dpo_loss"]]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3)
    assert losses[1] != losses[0]
    assert series["num_pairs"] == [[0, 4.0], [1, 4.0]]
    assert [step for step, _ in series["test/accuracy"]] == [0, 2]
    assert all(math.isfinite(value) for name in series for _, value in series[name])
    assert series["test/kl_sample_train_v1"][0][1] == pytest.approx(0, abs=1e-3)
    pairs = [event for event in logged if event.metadata["kind"] == "pair"]
    assert pairs
    assert all(pair.metadata["chosen"] != pair.metadata["rejected"] for pair in pairs)
