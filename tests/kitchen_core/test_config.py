import pytest
from pydantic import BaseModel, model_validator

from kitchen_core.config import (
    ConfigError,
    RunConfig,
    config_hash,
    parse_override,
    ref_fields,
    setting,
    with_overrides,
)


class Inner(BaseModel):
    depth: int = 1


class Config(RunConfig):
    max_steps: int | None = setting(None, "Stop after so many steps", unit="steps", ge=1)
    learning_rate: float = setting(1e-4, "Peak learning rate", gt=0, le=1)
    eval_set: str | None = setting(None, "Data to measure on", ref="dataset")
    inner: Inner = Inner()


def test_overrides_from_text_take_the_fields_type():
    made = with_overrides(Config(), {"max_steps": "3", "learning_rate": "2e-3", "inner.depth": "4"})
    assert (made.max_steps, made.learning_rate, made.inner.depth) == (3, 2e-3, 4)


def test_none_empties_an_optional_field():
    assert with_overrides(Config(max_steps=3), {"max_steps": "none"}).max_steps is None


WRONG = {
    "unknown": ({"max_step": "3"}, "unknown setting 'max_step'; did you mean 'max_steps'?"),
    "too small": ({"max_steps": "0"}, "max_steps: given '0', expected 1 or more [steps]"),
    "not whole": ({"max_steps": "1.5"}, "max_steps: given '1.5', expected a whole number [steps]"),
    "too large": ({"learning_rate": "3"}, "learning_rate: given '3', expected 1 or less"),
    "not a number": ({"learning_rate": "fast"}, "learning_rate: given 'fast', expected a number"),
    "not a choice": ({"device": "tpu"}, "device: given 'tpu', expected 'auto', 'cpu' or 'cuda'"),
    "no such part": ({"seed.x": "1"}, "setting 'seed' has no part 'x'"),
    "unknown part": ({"inner.dept": "1"}, "unknown setting 'dept'; did you mean 'depth'?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_override_says_what_was_given_and_what_was_expected(case):
    overrides, message = WRONG[case]
    with pytest.raises(ConfigError) as refused:
        with_overrides(Config(), overrides)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


class Both(RunConfig):
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _ordered(self):
        if self.low > self.high:
            raise ValueError(f"low={self.low} is more than high={self.high}")
        return self


def test_values_that_dont_go_together_are_told_in_the_configs_own_words():
    with pytest.raises(ConfigError) as refused:
        with_overrides(Both(), {"low": "3"}, "preset gpu")
    assert str(refused.value) == "preset gpu: low=3 is more than high=2"


def test_a_preset_is_named_in_its_error():
    with pytest.raises(ConfigError, match="preset gpu: unknown setting"):
        with_overrides(Config(), {"nothing": 1}, "preset gpu")


def test_an_override_without_an_equals_sign_is_refused():
    assert parse_override("a.b=c=d") == ("a.b", "c=d")
    with pytest.raises(ConfigError, match="key=value"):
        parse_override("max_steps")


def test_the_fields_that_hold_refs_are_known_by_role():
    assert {field.name: field.role for field in ref_fields(Config)} == {
        "model": "model",
        "dataset": "dataset",
        "eval_set": "dataset",
    }


def test_the_hash_depends_on_the_values_and_not_on_their_order():
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})
    # printf '{"a":1}' | sha256sum
    assert (
        config_hash({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    )
