"""The suggested learning rate is tinker-cookbook's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kitchen_core import builtin
from kitchen_core.train.learning_rate import suggested_learning_rate, why_no_suggestion
from kitchen_core.train.model_folder import inspect_model_folder

RECORDED = json.loads((Path(__file__).parent / "recorded" / "learning_rates.json").read_text())
TINY = inspect_model_folder(builtin.model_folder("tiny"))


def model(model_type, hidden_size):
    return replace(TINY, model_type=model_type, hidden_size=hidden_size)


@pytest.mark.parametrize("case", RECORDED["rates"], ids=lambda case: case["model"])
def test_it_is_what_the_cookbook_gives_for_its_own_models(case):
    facts = model(case["model_type"], case["hidden_size"])
    assert suggested_learning_rate(facts, lora=True) == pytest.approx(case["lora"], rel=1e-12)
    assert suggested_learning_rate(facts, lora=False) == pytest.approx(case["full"], rel=1e-12)


def test_the_recorded_eight_billion_llama_has_its_published_rate():
    assert suggested_learning_rate(model("llama", 4096), lora=True) == pytest.approx(
        2.856e-4, abs=5e-8
    )


def test_a_model_built_as_a_llama_counts_as_one_whatever_its_name():
    # by hand: 5e-5 * (2000 / 96) ** 0.781, where ln(20.8333) = 3.036554 and exp(2.371549) = 10.71398
    assert suggested_learning_rate(TINY, lora=False) == pytest.approx(5.35699e-4, rel=1e-5)


@pytest.mark.parametrize("family", ["gemma3", "mistral", "gpt_oss", ""])
def test_a_family_that_nobody_measured_gets_no_suggestion_and_a_sentence(family):
    facts = model(family, 4096)
    assert suggested_learning_rate(facts, lora=True) is None
    sentence = why_no_suggestion(facts)
    assert f"a {family or 'unknown'} model" in sentence
    assert "\n" not in sentence


def test_a_model_of_unknown_width_gets_no_suggestion_and_a_sentence():
    facts = model("llama", None)
    assert suggested_learning_rate(facts, lora=True) is None
    assert "hidden_size" in why_no_suggestion(facts)
