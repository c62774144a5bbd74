"""The kitchen in the steps of tinker-cookbook's DPO: the same datums, the same losses, margins and rewards.

`tests/fixtures/parity/preference` holds what the cookbook's own training loop did over a Tinker server,
and the script that recorded it; model and LoRA state are those of the supervised fixture.
"""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from benchmarks.reference import dpo
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.stages.preference import pair_loss
from kitchen_core.train.datums import datum_from_rendered
from kitchen_core.train.pairs import PairPreparation, answer_logprobs
from kitchen_core.train.preference import Objective
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.schedules import lr_multiplier
from kitchen_core.train.schemas import COMPARISONS, rows_as
from kitchen_core.train.types import AdamParams, LoraSpec, ModelSource, SessionSpec

FIXTURES = Path(__file__).parents[2] / "fixtures" / "parity" / "preference"
SUPERVISED = FIXTURES.parent / "supervised"
RECORDED = json.loads((FIXTURES / "cookbook.json").read_text(encoding="utf-8"))
SETTINGS, BATCHES = RECORDED["settings"], RECORDED["batches"]


def metrics(step):
    """What is compared. Before the first step both sides of every pair are rewarded with rounding
    errors, and the accuracy counts those.
    """
    names = ("dpo_loss", "margin", "chosen_reward", "rejected_reward")
    return (*names, "accuracy") if step else names


@pytest.fixture(scope="module")
def batches():
    """The recorded batches as the kitchen prepares them, from the rows of the file."""
    rows = dpo.read_rows(FIXTURES / "pairs.jsonl")
    tokenizer = HuggingFaceTokenizer(SUPERVISED / "base")
    renderer = get_renderer(SETTINGS["renderer"], tokenizer)
    how = PairPreparation(renderer, tokenizer, SETTINGS["max_length"])
    pairs = [
        [datum_from_rendered(side) for side in how.sequences(comparison)]
        for comparison in rows_as(COMPARISONS, rows, "pairs.jsonl", {})
    ]
    return [[datum for row in batch["rows"] for datum in pairs[row]] for batch in BATCHES]


def test_pairs_become_the_datums_of_the_cookbook(batches):
    for ours, theirs in zip(batches, BATCHES, strict=True):
        for datum, recorded in zip(ours, theirs["datums"], strict=True):
            assert datum.tokens.tolist() == recorded["tokens"]
            assert datum.targets.tolist() == recorded["targets"]
            assert datum.weights.tolist() == recorded["weights"]


def test_there_was_something_to_learn_and_something_was_cut():
    margins = [batch["margin"] for batch in BATCHES]
    lengths = [len(datum["tokens"]) for batch in BATCHES for datum in batch["datums"]]
    assert margins[0] == pytest.approx(0, abs=1e-6)
    assert max(map(abs, margins)) > 0.4
    assert max(lengths) == SETTINGS["max_length"] - 1


async def test_three_steps_give_the_metrics_of_the_cookbook(batches):
    lora = LoraSpec(SETTINGS["lora"]["rank"], SETTINGS["lora"]["alpha"])
    source = ModelSource("base", SUPERVISED / "base", SUPERVISED / "lora")
    session = await TorchLocal().start_session(SessionSpec(source, lora, seed=0))
    for step, (datums, recorded) in enumerate(zip(batches, BATCHES, strict=True)):
        sequences = [[int(datum.tokens[0]), *datum.targets.tolist()] for datum in datums]
        scored = await session.reference().compute_logprobs(sequences)
        reference = answer_logprobs(scored, datums).reshape(-1, 2)
        loss = pair_loss(Objective("dpo", SETTINGS["dpo_beta"]), reference, 0.0)
        forward = session.forward_backward_custom(datums, loss)
        rate = SETTINGS["learning_rate"] * lr_multiplier(
            SETTINGS["lr_schedule"], step, len(BATCHES)
        )
        assert rate == pytest.approx(recorded["learning_rate"])
        await session.optim_step(AdamParams(rate, **SETTINGS["adam"]))
        told = (await forward).metrics
        for name in metrics(step):
            assert told[name] == pytest.approx(recorded[name], abs=1e-4), (step, name)
    await session.close()


def test_the_flat_script_gives_them_too():
    tokenizer = AutoTokenizer.from_pretrained(SUPERVISED / "base")
    rows = dpo.read_rows(FIXTURES / "pairs.jsonl")
    batches = [
        [dpo.tokenize(tokenizer, rows[i], SETTINGS["max_length"]) for i in batch["rows"]]
        for batch in BATCHES
    ]
    steps = dpo.train(
        dpo.load(SUPERVISED / "base", SUPERVISED / "lora"),
        batches,
        SETTINGS["learning_rate"],
        beta=SETTINGS["dpo_beta"],
        grad_clip_norm=0,
    )
    for step, (told, recorded) in enumerate(zip(steps, BATCHES, strict=True)):
        for name in metrics(step):
            assert getattr(told, name) == pytest.approx(recorded[name], abs=1e-4), (step, name)
