"""What can't be right in a config is refused in one line: the key, what was given, what was expected."""

import pytest

from kitchen_core.config import ConfigError, parse_override
from recipes.sl_basic import recipe

KNOWN = ", ".join(type(recipe.config).model_fields)
NAMES = 'expected names with values in JSON, as in {"NAME": ...}'
SHARE = 'expected a share such as 0.5, or {"share": 0.5, "fields": {...}}'

REFUSED = {
    # keys
    "max_step=3": "unknown setting 'max_step'; did you mean 'max_steps'?",
    "Batch_Size=3": "unknown setting 'Batch_Size'; did you mean 'batch_size'?",
    "zzzqqq=3": f"unknown setting 'zzzqqq'; known: {KNOWN}",
    "batch_size.x=1": "setting 'batch_size' has no part 'x'",
    # types
    "batch_size=many": "batch_size: given 'many', expected a whole number [examples]",
    "batch_size=2.5": "batch_size: given '2.5', expected a whole number [examples]",
    "batch_size=": "batch_size: given '', expected a whole number [examples]",
    "batch_size=none": "batch_size: given none, expected a whole number [examples]",
    "batch_size=3\n4": "batch_size: given '3\\n4', expected a whole number [examples]",
    "test_fraction=110%": "test_fraction: given '110%', expected a number",
    "packing=maybe": "packing: given 'maybe', expected true or false",
    "dataset=none": "dataset: given none, expected text",
    'mix={"a/b": 0.5, "a/b": 1}': "'a/b' is given twice in the JSON",
    'mix={"a/b": {"fields": {"x": "y", "x": "z"}}}': "'x' is given twice in the JSON",
    # bounds
    "batch_size=0": "batch_size: given '0', expected 1 or more [examples]",
    "max_length=1": "max_length: given '1', expected 2 or more [tokens]",
    "max_steps=0": "max_steps: given '0', expected 1 or more [steps]",
    "learning_rate=0": "learning_rate: given '0', expected more than 0",
    "learning_rate=-1e-4": "learning_rate: given '-1e-4', expected more than 0",
    "learning_rate=3": "learning_rate: given '3', expected 1 or less",
    "learning_rate=nan": "learning_rate: given 'nan', expected a finite number",
    "learning_rate=1e999": "learning_rate: given '1e999', expected a finite number",
    "temperature=-1": "temperature: given '-1', expected 0 or more",
    "test_fraction=1": "test_fraction: given '1', expected less than 1",
    "lora_rank=-1": "lora_rank: given '-1', expected 0 or more",
    "keep_checkpoints=0": "keep_checkpoints: given '0', expected 1 or more",
    "seed=9223372036854775808": (
        "seed: given '9223372036854775808', expected 9223372036854775807 or less"
    ),
    f"seed={'1' * 5000}": f"seed: given '{'1' * 60}...', expected a whole number",
    # choices
    "device=gpu": "device: given 'gpu', expected 'auto', 'cpu' or 'cuda'",
    "lr_schedule=cosin": "lr_schedule: given 'cosin', expected 'constant', 'linear' or 'cosine'",
    "reduction=mean": "reduction: given 'mean', expected 'token' or 'example'",
    "best_is=smallest": "best_is: given 'smallest', expected 'auto', 'lowest' or 'highest'",
    "train_on=assistant": (
        "train_on: given 'assistant', expected 'last_assistant_message', 'last_assistant_turn', "
        "'all_assistant_messages', 'all_messages', 'all_tokens', 'all_user_and_system_messages' or "
        "'customized'"
    ),
    "renderer=qwen-3": (
        "renderer: given 'qwen-3', expected one of auto, template, role_colon, qwen3, qwen3_instruct, "
        "llama3; did you mean 'qwen3'?"
    ),
    "min_lr_ratio=2": "min_lr_ratio: given '2', expected 1 or less",
    # mappings
    "mix=builtin:chat": f"mix: given 'builtin:chat', {NAMES}",
    'mix=["builtin:chat"]': f"mix: given ['builtin:chat'], {NAMES}",
    "mix={builtin:chat: 1}": (
        f"mix: given '{{builtin:chat: 1}}', {NAMES} "
        "(expecting property name enclosed in double quotes at character 2)"
    ),
    'mix={"builtin:chat": 1': (
        f"mix: given '{{\"builtin:chat\": 1', {NAMES} (expecting ',' delimiter at character 19)"
    ),
    'mix={"builtin:chat": -1}': "mix.builtin:chat.share: given -1, expected more than 0",
    'mix={"builtin:chat": 0}': "mix.builtin:chat.share: given 0, expected more than 0",
    'mix={"builtin:chat": 1e9}': "mix.builtin:chat.share: given 1000000000.0, expected 1000 or less",
    'mix={"builtin:chat": "half"}': "mix.builtin:chat.share: given 'half', expected a number",
    'mix={"builtin:chat": null}': f"mix.builtin:chat: given none, {SHARE}",
    'mix={"builtin:chat": [1]}': f"mix.builtin:chat: given [1], {SHARE}",
    'mix={"builtin:chat": {"shar": 1}}': (
        "mix.builtin:chat: unknown setting 'shar'; did you mean 'share'?"
    ),
    "mix.builtin:chat=-1": "mix.builtin:chat.share: given '-1', expected more than 0",
    "fields=messages": f"fields: given 'messages', {NAMES}",
    'fields={"messages": 3}': "fields.messages: given 3, expected text",
}


@pytest.mark.parametrize("override", REFUSED, ids=lambda text: text[:40])
def test_an_override_that_cant_be_right_is_refused_in_one_line(override):
    key, value = parse_override(override)
    with pytest.raises(ConfigError) as refused:
        recipe.resolved(None, {key: value})
    assert str(refused.value) == REFUSED[override]


def test_a_number_where_text_belongs_is_refused():
    with pytest.raises(ConfigError) as refused:
        recipe.resolved(None, {"model": 5})
    assert str(refused.value) == "model: given 5, expected text"


def test_of_several_faults_the_first_is_told_and_the_others_are_counted():
    with pytest.raises(ConfigError) as refused:
        recipe.resolved(None, {"max_steps": "0", "batch_size": "0", "max_length": "x"})
    assert str(refused.value) == ("max_steps: given '0', expected 1 or more [steps] (and 2 more)")


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("gpuu", "unknown preset 'gpuu'; did you mean 'gpu'?"),
        ("zz", "unknown preset 'zz'; this recipe has: gpu, paper"),
    ],
)
def test_an_unknown_preset_names_those_that_there_are(preset, message):
    with pytest.raises(ConfigError) as refused:
        recipe.resolved(preset, {})
    assert str(refused.value) == message


@pytest.mark.parametrize("text", ["max_steps", "=3", ""])
def test_what_is_no_override_says_its_form(text):
    with pytest.raises(ConfigError) as refused:
        parse_override(text)
    assert str(refused.value) == f"'{text}' is not of the form key=value"


def test_a_mapping_can_be_filled_in_key_by_key():
    config = recipe.resolved(None, {"mix.builtin:chat": "0.5", "fields.messages": "turns"})
    assert config.model_dump()["mix"] == {"builtin:chat": {"share": 0.5, "fields": {}}}
    assert config.model_dump()["fields"] == {"messages": "turns"}
