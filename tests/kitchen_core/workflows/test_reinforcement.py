"""Reinforcement settings that contradict each other, or that would do nothing, are refused in one line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.config import ConfigError, with_overrides
from kitchen_core.train.environments import environment_names
from kitchen_core.train.rl.policy_loss import clip_bounds, policy_loss
from kitchen_core.train.types import LossSpec
from kitchen_core.workflow.checking import check
from kitchen_core.workflows import ReinforcementConfig, reinforcement
from recipes.math_rl import recipe

REFUSED = {
    "clip_high=2": (
        "clip_high=2 bounds the ratio, but loss=importance_sampling does not clip; leave it out, or "
        "use ppo, cispo, gspo"
    ),
    "loss=ppo clip_low=1.3": (
        "the ratio is clipped to clip_low=1.3 and clip_high=1.2, expected the first below the second"
    ),
    "group_size=1": (
        "group_size=1: an advantage (group_mean) holds the episodes of a problem against each other, so "
        "it takes at least 2"
    ),
    "temperature=0": (
        "temperature=0 gives every episode of a problem the same answer, so none is better; use 1"
    ),
    "groups_per_batch=2 group_size=2 num_substeps=5": (
        "num_substeps=5, but a batch has 4 episodes (groups_per_batch=2 of group_size=2)"
    ),
    "gae_lambda=0.5": (
        "gae_lambda=0.5 has no effect without advantage=gae; set that, or leave gae_lambda out"
    ),
    "discount=0.9": "discount=0.9 has no effect without advantage=gae",
    "kl_reference=builtin:tiny": (
        "kl_reference=builtin:tiny has no effect without kl_penalty_coef; set that, or leave "
        "kl_reference out"
    ),
    "kl_discount_factor=0.9": "kl_discount_factor=0.9 has no effect without kl_penalty_coef",
    "resample_rounds=1 remove_constant_groups=false": (
        "resample_rounds=1 has no effect without remove_constant_groups"
    ),
    "off_policy=free": "off_policy=free has no effect without max_steps_off_policy",
    "off_policy=exact": "off_policy=exact has no effect without max_steps_off_policy",
    "max_steps_off_policy=2 off_policy=free deterministic=true": (
        "off_policy=free samples whenever there is time, which deterministic=true rules out; use exact"
    ),
    "eval_examples=10": "unknown setting 'eval_examples'; did you mean 'eval_samples'?",
    "eval_samples=0": (
        "eval_every=10 measures by asking, but eval_samples=0 asks nothing; set eval_samples, or "
        "eval_every=0"
    ),
    "env=maths": "env: given 'maths', expected one of ",
    'mix={"a/b": {"env": "maths"}}': "mix.a/b.env: given 'maths', expected one of ",
    "loss=drop": "loss: given 'drop', expected 'importance_sampling', 'ppo', 'cispo', 'dro', 'gspo', "
    "'stable_reinforce' or 'reinforce'",
    "dro_beta=0.1": "dro_beta=0.1 is for loss=dro, but loss=importance_sampling; leave it out",
    "loss=stable_reinforce": "loss=stable_reinforce has no bounds of its own; give clip_low",
}


def resolved(text):
    overrides = [text] if text.startswith("mix=") else text.split()
    return recipe.resolved(None, dict(each.split("=", 1) for each in overrides))


@pytest.mark.parametrize("text", REFUSED)
def test_it_is_refused_in_one_line(text):
    with pytest.raises(ConfigError) as refused:
        resolved(text)
    assert str(refused.value).startswith(REFUSED[text])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "loss=ppo clip_low=0.9",
        "loss=cispo clip_high=5",
        "advantage=gae gae_lambda=0.5 discount=0.9",
        "kl_penalty_coef=0.1 kl_reference=builtin:tiny kl_discount_factor=0.5",
        "resample_rounds=3",
        "max_steps_off_policy=2 off_policy=free",
        "eval_every=0 eval_samples=0",
    ],
)
def test_what_goes_together_is_taken(text):
    assert isinstance(resolved(text), ReinforcementConfig)


@pytest.mark.parametrize("preset", [None, *recipe.presets])
def test_every_preset_of_math_rl_resolves(preset):
    assert recipe.resolved(preset, {}).kl_penalty_coef == 0


def test_a_launch_form_can_list_the_environments():
    schema = ReinforcementConfig.model_json_schema()["properties"]
    assert schema["env"]["enum"] == list(environment_names())
    assert "auto" in schema["renderer"]["enum"]


def test_the_workflow_can_be_run():
    check(reinforcement)
    assert reinforcement.ports == ("training_client", "python_bridge")


def test_the_papers_numbers_are_tinker_cookbooks():
    paper = recipe.resolved("paper", {})
    assert (paper.group_size, paper.groups_per_batch, paper.learning_rate) == (4, 100, 1e-5)
    assert (paper.max_tokens, paper.eval_every, paper.save_every) == (5, 20, 20)


def test_thresholds_are_always_spelled_out():
    assert policy_loss("ppo", None, None) == LossSpec("ppo", {"clip_low": 0.8, "clip_high": 1.2})
    assert policy_loss("cispo", None, 5.0) == LossSpec("cispo", {"clip_low": 0.0, "clip_high": 5.0})
    assert policy_loss("dro", None, None) == LossSpec("dro", {"beta": 0.01})
    assert policy_loss("dro", None, None, 0.5) == LossSpec("dro", {"beta": 0.5})
    assert policy_loss("reinforce", None, None) == LossSpec("reinforce")


@given(low=st.floats(0, 1), high=st.floats(1, 9))
def test_what_is_given_is_what_counts(low, high):
    assert clip_bounds("gspo", low, high) == (low, high)
    assert clip_bounds("importance_sampling", None, None) == (0, math.inf)


def test_overrides_do_not_lose_what_is_mixed_in():
    config = with_overrides(
        recipe.config, {"mix": '{"builtin:math": {"share": 0.5, "env": "math"}}'}
    )
    assert with_overrides(config, {"seed": 1}).mix["builtin:math"].env == "math"
