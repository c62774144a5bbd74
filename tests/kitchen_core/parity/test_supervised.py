"""The kitchen in the steps of tinker-cookbook's supervised training: the same datums, the same losses.

`tests/fixtures/parity/supervised` holds what the cookbook's own training loop did over a Tinker server,
the LoRA state that it started from, and the script that recorded it.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from benchmarks.reference import sft
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.datums import datum_from_rendered, mean_nll, reduce_weights
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.schedules import lr_multiplier
from kitchen_core.train.types import (
    AdamParams,
    LoraSpec,
    LossSpec,
    Message,
    ModelSource,
    SessionSpec,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "parity" / "supervised"
RECORDED = json.loads((FIXTURES / "recorded.json").read_text(encoding="utf-8"))
SETTINGS, BATCHES = RECORDED["settings"], RECORDED["batches"]


@pytest.fixture(scope="module")
def batches():
    """The recorded batches as the kitchen prepares them, from the rows of the file."""
    lines = (FIXTURES / "chat.jsonl").read_text(encoding="utf-8").splitlines()
    chats = [
        Conversation(tuple(Message(**turn) for turn in json.loads(line)["messages"]))
        for line in lines
    ]
    tokenizer = HuggingFaceTokenizer(FIXTURES / "base")
    renderer = get_renderer("qwen3_instruct", tokenizer)
    how = Preparation(renderer, tokenizer, SETTINGS["train_on_what"], SETTINGS["max_length"])
    datums = [datum_from_rendered(rendered) for chat in chats for rendered in how.sequences(chat)]
    return [[datums[i] for i in batch["rows"]] for batch in BATCHES]


def test_there_was_something_to_learn():
    first, *_, last = (batch["train_mean_nll"] for batch in BATCHES)
    assert len(BATCHES) == 3
    assert last < first - 0.05


def test_chats_become_the_datums_of_the_cookbook(batches):
    for ours, theirs in zip(batches, BATCHES, strict=True):
        for datum, recorded in zip(ours, theirs["datums"], strict=True):
            assert datum.tokens.tolist() == recorded["tokens"]
            assert datum.targets.tolist() == recorded["targets"]
            (alone,) = reduce_weights([datum], "example")
            assert alone.weights == pytest.approx(recorded["weights"], abs=1e-7)


def test_some_of_them_are_cut():
    lengths = [len(datum["tokens"]) for batch in BATCHES for datum in batch["datums"]]
    assert max(lengths) == SETTINGS["max_length"] - 1


async def test_three_steps_give_the_losses_of_the_cookbook(batches):
    lora = LoraSpec(SETTINGS["lora"]["rank"], SETTINGS["lora"]["alpha"])
    source = ModelSource("base", FIXTURES / "base", FIXTURES / "lora")
    session = await TorchLocal().start_session(SessionSpec(source, lora, seed=0))
    for step, (datums, recorded) in enumerate(zip(batches, BATCHES, strict=True)):
        weighed = reduce_weights(datums, "example")
        forward = session.forward_backward(weighed, LossSpec("cross_entropy"))
        factor = lr_multiplier(SETTINGS["lr_schedule"], step, len(BATCHES))
        rate = SETTINGS["learning_rate"] * factor
        assert rate == pytest.approx(recorded["learning_rate"])
        await session.optim_step(AdamParams(rate, **SETTINGS["adam"]))
        result = await forward
        nll = mean_nll(result.logprobs, weighed)
        assert nll == pytest.approx(recorded["train_mean_nll"], abs=1e-5)
        assert result.metrics["loss"] == pytest.approx(recorded["loss_sum"] / len(datums), abs=1e-4)
        for ours, theirs, datum in zip(result.logprobs, recorded["logprobs"], datums, strict=True):
            counts = datum.weights > 0
            assert ours[counts] == pytest.approx(np.array(theirs)[counts], abs=1e-4)
    await session.close()


def test_the_flat_script_gives_them_too():
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "base")
    rows = sft.read_rows(FIXTURES / "chat.jsonl")
    batches = [
        [sft.tokenize(tokenizer, rows[i], SETTINGS["max_length"]) for i in batch["rows"]]
        for batch in BATCHES
    ]
    losses = sft.train(
        sft.load(FIXTURES / "base", FIXTURES / "lora"),
        batches,
        SETTINGS["learning_rate"],
        reduction="example",
        grad_clip_norm=0,
    )
    expected = [batch["train_mean_nll"] for batch in BATCHES]
    assert list(losses) == pytest.approx(expected, abs=1e-5)
