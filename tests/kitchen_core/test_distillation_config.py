"""Settings of a distillation run that contradict each other are refused in one line."""

import shlex

import pytest

from kitchen_core.config import ConfigError, parse_override
from kitchen_core.workflows import DistillationConfig
from recipes.distillation import recipe

REFUSED = {
    "kl_penalty_coef=2 mode=off_policy": (
        "kl_penalty_coef=2.0 is for mode=on_policy, but mode=off_policy learns the teacher's answers by "
        "cross entropy; set mode=on_policy or leave kl_penalty_coef out"
    ),
    "top_k_targets=4": (
        "top_k_targets=4 is for mode=off_policy, but mode=on_policy scores the student's answers; "
        "set mode=off_policy or leave top_k_targets out"
    ),
    "llm_teacher=m teacher=none": "llm_teacher=m is for mode=off_policy",
    "llm_teacher=m mode=off_policy": (
        "teacher=builtin:tiny-rl, but llm_teacher=m is the teacher; write teacher=none"
    ),
    "llm_teacher=m mode=off_policy teacher=none top_k_targets=2": (
        "top_k_targets=2, but llm_teacher=m gives text without likelihoods; leave it out"
    ),
    "kl_discount_factor=0.9": (
        "kl_discount_factor=0.9 discounts distances at sampled tokens, but kl=auto; set kl=sampled"
    ),
    "teacher=none": "no teacher: the model would learn from itself what it says already",
    "teacher=none teacher_prompt={question}": "no teacher: the model would learn from itself",
    "teacher_prompt=Think.": "say where it goes by {question} (and {answer} for the data's answer)",
    "teacher_prompt={questoin}": "teacher_prompt has {questoin}; did you mean {question}?",
    "mix_teachers.builtin:tiny=0": "builtin:tiny has the weight 0, expected above 0",
    "mix_teachers.builtin:tiny-rl=1": "mix_teachers names builtin:tiny-rl, which is the teacher already",
    "group_size=2 temperature=0": "group_size=2 asks for several answers, but temperature=0 gives the same",
}
TAKEN = (
    "kl=sampled kl_discount_factor=0.9",
    "mode=off_policy top_k_targets=4",
    "mode=off_policy teacher=none llm_teacher=m",
    "teacher=none 'teacher_prompt=\\boxed{x} {question}'",
    "mix_teachers.builtin:tiny=0.5",
)


def resolved(text):
    """The recipe's config with settings as on a command line."""
    return recipe.resolved(None, dict(parse_override(each) for each in shlex.split(text)))


@pytest.mark.parametrize(("text", "told"), REFUSED.items(), ids=list(REFUSED))
def test_settings_that_contradict_each_other_are_refused(text, told):
    with pytest.raises(ConfigError) as refused:
        resolved(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", TAKEN)
def test_settings_that_fit_are_taken(text):
    assert isinstance(resolved(text), DistillationConfig)


@pytest.mark.parametrize("preset", recipe.presets)
def test_the_presets_are_sound(preset):
    assert recipe.resolved(preset, {}).teacher is not None
