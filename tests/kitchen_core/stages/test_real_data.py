"""Public data in the forms that people have it, through the stages.

Give its folder: KITCHEN_TEST_DATA=FOLDER make test-slow
"""

import os
from pathlib import Path

import pytest

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.memory import session
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from tests.kitchen_core.stages.support import CONFIG, stages_run
from tests.kitchen_core.store.support import fresh_store

DATA = Path(os.environ.get("KITCHEN_TEST_DATA", "/nowhere"))
FILES = {
    "chat/messages.jsonl": ("messages", 128),
    "chat/alpaca.json": ("alpaca", 999),
    "chat/sharegpt_toolcall.json": ("sharegpt", 300),
    "preference/sharegpt_pairs.json": ("preference", 300),
    "gsm8k/train.jsonl": ("question_answer", 7473),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="KITCHEN_TEST_DATA names no folder"),
]


@pytest.mark.parametrize("name", FILES)
async def test_every_file_is_recognised_split_and_prepared_whole(name, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_LIMITS", Limits(VOCAB_SIZE, 100_000))
    form, rows = FILES[name]
    changes = {
        "dataset": f"file:{DATA / name}",
        "test_fraction": 0.1,
        "eval_every": 1,
        "batch_size": 1,
        "max_length": 100_000,
    }
    with fresh_store(tmp_path) as store:
        async with stages_run(store, tmp_path, CONFIG.model_copy(update=changes)) as made:
            (event,) = made.loaded
            measured = event.measurements
            assert event.metadata["schema"] == form
            assert measured["rows"] == rows
            assert measured["train_rows"] + measured["test_rows"] == measured["rows"]
            assert len(made.batches) == measured["train_rows"]  # a row a batch: none is left out
            assert len(made.held_out.prompts) == min(measured["test_rows"], CONFIG.eval_examples)
            assert made.warnings == []
            for step in range(0, len(made.batches), 50):
                (datum,) = made.batches[step].datums
                assert 0 < datum.num_loss_tokens < len(datum)
