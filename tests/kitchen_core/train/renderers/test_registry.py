"""Renderers by name, and what each refuses in a line."""

from __future__ import annotations

import pytest

from kitchen_core.adapters.memory.tokenizer import ByteTokenizer
from kitchen_core.train.renderers import (
    RenderError,
    TemplateRenderer,
    get_renderer,
    register_renderer,
    registry,
)
from kitchen_core.train.types import Message, ToolCall
from tests.kitchen_core.train.renderers.support import (
    assistant,
    chatml_tokenizer,
    fixture_tokenizer,
    talk,
    tiny_tokenizer,
    user,
)

CALL = ToolCall("f", "{}")


@pytest.fixture(autouse=True)
def _same_registry(monkeypatch):
    monkeypatch.setattr(registry, "_FACTORIES", dict(registry._FACTORIES))


def test_auto_takes_the_model_s_template_and_without_one_role_colon():
    assert get_renderer("auto", tiny_tokenizer()).name == "template"
    assert get_renderer("auto", fixture_tokenizer()).name == "role_colon"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("qwen-3", "did you mean 'qwen3'?"), ("chatml", "known are auto, template")],
)
def test_an_unknown_name_is_refused_with_the_nearest_and_all_known(name, suggestion):
    with pytest.raises(RenderError, match=f"there is no renderer '{name}'; ") as refused:
        get_renderer(name, tiny_tokenizer())
    assert suggestion in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "role_colon, qwen3, qwen3_instruct, llama3" in str(refused.value)


def test_another_renderer_can_be_registered_but_not_under_a_name_that_is_taken():
    register_renderer("mine", TemplateRenderer)
    register_renderer("mine", TemplateRenderer)
    assert get_renderer("mine", ByteTokenizer()).name == "template"
    with pytest.raises(ValueError, match="there is a renderer qwen3 already"):
        register_renderer("qwen3", TemplateRenderer)


@pytest.mark.parametrize(
    ("name", "missing"),
    [("qwen3", "<|im_start|> <|im_end|>"), ("llama3", "<|begin_of_text|> <|start_header_id|>")],
)
def test_a_tokenizer_without_its_tokens_is_refused(name, missing):
    with pytest.raises(RenderError) as refused:
        get_renderer(name, tiny_tokenizer())
    assert str(refused.value).startswith(f"renderer={name} needs the tokens {missing}")


@pytest.mark.parametrize("name", ["role_colon", "llama3"])
@pytest.mark.parametrize(
    ("chat", "what"),
    [
        (talk(user("a"), assistant("", tool_calls=(CALL,))), "tool calls"),
        (talk(user("a"), assistant("b", thinking="c")), "thinking"),
        (talk(user("a"), assistant("b"), tools=({"name": "f"},)), "tools"),
    ],
)
def test_what_a_renderer_has_no_form_for_is_refused_rather_than_dropped(name, chat, what):
    renderer = get_renderer(name, fixture_tokenizer())
    for render in (renderer.prompt, lambda chat: renderer.supervised(chat, "all_messages")):
        with pytest.raises(
            RenderError, match=f"renderer={name} has no form for {what}; set renderer="
        ):
            render(chat)


def test_renderers_and_tokenizers_have_fingerprints_of_their_own():
    names = ("role_colon", "qwen3", "qwen3_instruct", "llama3")
    prints = {get_renderer(name, fixture_tokenizer()).fingerprint for name in names}
    assert len(prints) == 4
    other = get_renderer("role_colon", tiny_tokenizer()).fingerprint
    assert other not in prints


def test_role_colon_stops_at_the_user_s_turn_and_at_the_end_of_text():
    stop = get_renderer("role_colon", fixture_tokenizer()).stop
    assert stop.texts == ("\n\nUser:",)
    assert stop.tokens == fixture_tokenizer().eos_token_ids


def test_role_colon_begins_with_nothing_where_the_model_has_no_beginning():
    assert get_renderer("role_colon", ByteTokenizer()).prompt(talk(user("a"))) == [
        *b"User: a\n\nAssistant:"
    ]


def test_a_tool_s_answer_has_its_place_in_every_renderer():
    chat = talk(user("a"), assistant("b"), Message("tool", "sunny"), assistant("c"))
    for name in ("role_colon", "qwen3", "qwen3_instruct", "llama3"):
        renderer = get_renderer(name, fixture_tokenizer())
        tokens = renderer.supervised(chat, "all_assistant_messages").tokens
        assert "sunny" in fixture_tokenizer().decode(tokens)


class BaseModelsTokenizer(ByteTokenizer):
    has_chat_template = False


def test_only_renderers_that_the_tokenizer_can_serve_are_recommended():
    chat = talk(user("a"), assistant("", tool_calls=(CALL,)))
    for tokenizer, remedy in (
        (tiny_tokenizer(), "set renderer=auto, or leave them out"),  # a template of its own
        (fixture_tokenizer(), "set renderer=qwen3, or leave them out"),  # Qwen's tokens alone
        (chatml_tokenizer(marked=False), "set renderer=auto or qwen3, or leave them out"),
        (BaseModelsTokenizer(), "take another model, or leave them out"),
    ):
        with pytest.raises(RenderError) as refused:
            get_renderer("role_colon", tokenizer).prompt(chat)
        assert str(refused.value).endswith(f"; {remedy}")


def test_a_template_that_refuses_tools_says_what_can_be_done():
    renderer = get_renderer("auto", tiny_tokenizer())
    with pytest.raises(RenderError) as refused:
        renderer.prompt(talk(user("a"), assistant("b"), Message("tool", "sunny")))
    assert str(refused.value).endswith("; take another model, or leave out the tool turns")
    with pytest.raises(RenderError) as refused:
        renderer.prompt(talk(Message("owl", "hoo")))  # type: ignore[arg-type]
    assert "leave out" not in str(refused.value)
