"""Losses over pairs: against TRL's and tinker-cookbook's own code, and by hand."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.preference import (
    Objective,
    PairLogprobs,
    dpo,
    ipo,
    log_one_minus_exp,
    robust,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "parity" / "preference"
TRL = json.loads((FIXTURES / "trl.json").read_text(encoding="utf-8"))
COOKBOOK = json.loads((FIXTURES / "cookbook_loss.json").read_text(encoding="utf-8"))


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


def leaves(answers):
    return [doubles(answer).requires_grad_() for answer in answers]


def pairs_of(chosen, rejected, recorded):
    return PairLogprobs(
        chosen=torch.stack([answer.sum() for answer in chosen]),
        rejected=torch.stack([answer.sum() for answer in rejected]),
        reference_chosen=doubles(recorded["reference_chosen"]),
        reference_rejected=doubles(recorded["reference_rejected"]),
        chosen_tokens=doubles([len(answer) for answer in chosen]),
        rejected_tokens=doubles([len(answer) for answer in rejected]),
    )


def gradients(side):
    return [answer.grad.tolist() for answer in side]


def objective(settings):
    return Objective(
        settings["loss"], TRL["beta"], **{k: settings[k] for k in settings if k != "loss"}
    )


@pytest.mark.parametrize("name", TRL["cases"])
def test_losses_and_gradients_are_those_of_trl(name):
    case = TRL["cases"][name]
    chosen, rejected = leaves(TRL["chosen"]), leaves(TRL["rejected"])
    asked = objective(case["settings"])
    scores = asked.scores(pairs_of(chosen, rejected, TRL), case.get("kl_baseline", 0.0))
    total = asked.total(scores)
    total.backward()
    assert total.item() == pytest.approx(case["loss"], rel=1e-6)
    for side, name_ in ((chosen, "chosen"), (rejected, "rejected")):
        for ours, theirs in zip(gradients(side), case[f"gradient_{name_}"], strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in TRL["cases"] if "normalized" not in name])
def test_rewards_are_those_of_trl(name):
    case = TRL["cases"][name]
    pairs = pairs_of(leaves(TRL["chosen"]), leaves(TRL["rejected"]), TRL)
    told = objective(case["settings"]).scores(pairs).metrics("x")
    for metric in ("chosen_reward", "rejected_reward", "margin", "accuracy"):
        if metric in case:
            assert told[metric] == pytest.approx(case[metric], rel=1e-6)


def test_normalized_rewards_are_a_token():
    # pair 1: log-ratios -1.875 + 2.5 over 3 tokens and -1.75 + 1.25 over 2
    pairs = pairs_of(leaves(TRL["chosen"]), leaves(TRL["rejected"]), TRL)
    scores = Objective("dpo", 0.3, length_normalized=True).scores(pairs)
    assert scores.chosen_rewards[0].item() == pytest.approx(0.3 * 0.625 / 3)
    assert scores.rejected_rewards[0].item() == pytest.approx(0.3 * -0.5 / 2)


def test_ktos_baseline_is_the_mean_log_ratio_of_mismatched_answers():
    gaps = doubles(TRL["mismatched"]) - doubles(TRL["reference_mismatched"])
    assert TRL["cases"]["kto"]["kl_baseline"] == pytest.approx(gaps.mean().item())


def test_dpo_is_that_of_the_cookbook():
    chosen, rejected = leaves(COOKBOOK["chosen"]), leaves(COOKBOOK["rejected"])
    asked = Objective("dpo", COOKBOOK["beta"])
    scores = asked.scores(pairs_of(chosen, rejected, COOKBOOK))
    asked.total(scores).backward()
    assert scores.metrics("dpo") == pytest.approx(COOKBOOK["metrics"], rel=1e-6)
    for side, name in ((chosen, "chosen"), (rejected, "rejected")):
        flat = [value for answer in gradients(side) for value in answer]
        theirs = [value for answer in COOKBOOK[f"gradient_{name}"] for value in answer]
        assert flat == pytest.approx(theirs, rel=1e-5, abs=1e-9)


def test_a_hopeless_pair_still_has_a_gradient():
    # log(sigmoid(-1000)) underflows to -inf, with a gradient of nan
    gap = torch.tensor([-1e4], requires_grad=True)
    loss = dpo(gap, beta=0.1)
    loss.sum().backward()
    assert loss.item() == pytest.approx(1000)
    assert gap.grad is not None
    assert gap.grad.item() == pytest.approx(-0.1)


def test_conservative_dpo_by_hand():
    # gap 2, beta .5: -.75 log sigmoid(1) - .25 log sigmoid(-1)
    expected = 0.75 * math.log1p(math.exp(-1)) + 0.25 * math.log1p(math.exp(1))
    assert dpo(doubles([2.0]), 0.5, 0.25).item() == pytest.approx(expected)


def test_ipo_by_hand():
    # (3 - 1 / (2 * .25))^2
    assert ipo(doubles([3.0]), 0.25).item() == pytest.approx(1.0)


@given(st.floats(-20, 20), st.floats(0.01, 0.45))
def test_robust_dpo_undoes_the_flips_on_average(gap, flipped):
    """Its expectation over flipped labels is the loss without flips."""
    one = doubles([gap])
    mean = (1 - flipped) * robust(one, 0.5, flipped) + flipped * robust(-one, 0.5, flipped)
    assert mean.item() == pytest.approx(dpo(one, 0.5).item(), abs=1e-9)


@given(st.floats(-50, -2e-6))
def test_log_one_minus_exp_is_exact(x):
    expected = math.log(-math.expm1(x)) if x > -0.5 else math.log1p(-math.exp(x))
    assert log_one_minus_exp(doubles([x])).item() == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_orpo_of_a_certain_answer_is_finite():
    chosen, rejected = leaves([[0.0, 0.0]]), leaves([[-3.0]])
    zero = {"reference_chosen": [0.0], "reference_rejected": [0.0]}
    asked = Objective("orpo", 0.1)
    total = asked.total(asked.scores(pairs_of(chosen, rejected, zero)))
    total.backward()
    assert math.isfinite(total.item())
    assert all(math.isfinite(value) for value in gradients(chosen)[0] + gradients(rejected)[0])
