"""Settings that contradict each other, or that the chosen loss would not look at, are refused."""

import pytest
from pydantic import ValidationError

from kitchen_core.workflow.checking import check
from kitchen_core.workflow.drawing import draw
from kitchen_core.workflows import PreferenceConfig, preference


def refusal(**settings):
    with pytest.raises(ValidationError) as refused:
        PreferenceConfig(**settings)
    (error,) = refused.value.errors()
    return error["msg"]


@pytest.mark.parametrize(
    ("name", "value", "losses"),
    [
        ("simpo_margin", 1.0, ["dpo", "ipo", "hinge", "orpo", "kto"]),
        ("label_smoothing", 0.1, ["ipo", "hinge", "simpo", "orpo", "kto"]),
        ("length_normalized", True, ["simpo", "orpo", "kto"]),
        ("reference_model", "builtin:tiny", ["simpo", "orpo"]),
        ("sft_coef", 0.5, ["orpo"]),
    ],
)
def test_a_setting_that_the_loss_does_not_look_at_is_refused(name, value, losses):
    for loss in losses:
        told = refusal(loss=loss, **{name: value})
        assert (
            f"{name}={value} is not looked at by loss={loss}; leave it out, or use one of" in told
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "dpo", "label_smoothing": 0.1, "length_normalized": True, "sft_coef": 1.0},
        {"loss": "robust", "label_smoothing": 0.2},
        {"loss": "simpo", "simpo_margin": 1.2, "sft_coef": 0.1},
        {"loss": "kto", "reference_model": "builtin:tiny"},
        {"loss": "orpo", "simpo_margin": 0.5},
    ],
)
def test_settings_that_the_loss_looks_at_are_taken(settings):
    assert PreferenceConfig(**settings).loss == settings["loss"]


def test_robust_needs_a_share_of_flipped_labels():
    assert "label_smoothing=0 says that there are none" in refusal(loss="robust")


def test_kto_needs_other_pairs_in_its_batch():
    assert "raise batch_size" in refusal(loss="kto", batch_size=1)


def test_the_workflow_can_be_drawn_and_checked():
    check(preference)
    drawing = "\n".join(draw(preference))
    for stage in ("BuildComparisons", "ReferenceLogprobs", "ForwardBackwardCustom", "LogPairs"):
        assert stage in drawing
