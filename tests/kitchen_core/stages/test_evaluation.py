"""What counts as right, in every spelling that a model may have."""

import pytest

from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.builtin import model_folder
from kitchen_core.stages.evaluation import as_text, is_right
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers import Parsed, get_renderer
from kitchen_core.train.types import Message, ToolCall


def said(content, *calls, complete=True):
    return Parsed(Message("assistant", content, tool_calls=calls), complete)


def test_white_space_around_an_answer_does_not_count():
    assert is_right(said(" 4\n"), Message("assistant", "4"))


def test_an_answer_that_does_not_end_is_not_right():
    assert not is_right(said("4", complete=False), Message("assistant", "4"))


def test_what_was_thought_before_does_not_count():
    parsed = Parsed(Message("assistant", "4", thinking="two and two"), complete=True)
    assert is_right(parsed, Message("assistant", "4", thinking="well"))


def test_the_same_call_is_right_however_its_arguments_are_spelled():
    expected = Message("assistant", "", tool_calls=(ToolCall("add", '{"a": 1, "b": 2}'),))
    assert is_right(said("", ToolCall("add", '{"b":2,"a":1}')), expected)
    assert not is_right(said("", ToolCall("add", '{"a": 1, "b": 3}')), expected)
    assert not is_right(said(""), expected)
    assert as_text(expected) == 'add({"a": 1, "b": 2})'


@pytest.mark.parametrize("name", ["template", "role_colon"])
def test_the_trained_answer_itself_is_right_in_every_spelling(name):
    renderer = get_renderer(name, HuggingFaceTokenizer(model_folder("tiny")))
    chat = Conversation((Message("user", "2 + 2"), Message("assistant", "4")))
    rendered = renderer.supervised(chat, "all_assistant_messages")
    trained = [t for t, on in zip(rendered.tokens, rendered.trained, strict=True) if on]
    assert is_right(renderer.parse(trained), chat.answer)
