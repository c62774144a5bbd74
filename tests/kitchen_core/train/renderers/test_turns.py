"""Which turns are trained, and into how many sequences that makes them."""

from __future__ import annotations

import pytest

from kitchen_core.train.renderers import RenderError, get_renderer
from kitchen_core.train.renderers.turns import trained_turns
from kitchen_core.train.types import Message
from tests.kitchen_core.train.renderers.support import (
    assistant,
    fixture_tokenizer,
    talk,
    trained_text,
    user,
)

TURNS = (
    Message("system", "s"),
    user("a"),
    assistant("b"),
    user("c"),
    assistant("d"),
    Message("tool", "e"),
    assistant("f"),
)


@pytest.mark.parametrize(
    ("train_on", "expected"),
    [
        ("last_assistant_message", [6]),
        ("last_assistant_turn", [4, 6]),
        ("all_assistant_messages", [2, 4, 6]),
        ("all_messages", [0, 1, 2, 3, 4, 5, 6]),
        ("all_tokens", [0, 1, 2, 3, 4, 5, 6]),
        ("all_user_and_system_messages", [0, 1, 3]),
    ],
)
def test_each_choice_names_its_turns(train_on, expected):
    assert [i for i, on in enumerate(trained_turns(TURNS, train_on)) if on] == expected


def test_customized_without_a_mark_is_refused():
    with pytest.raises(RenderError, match="none is marked"):
        trained_turns(TURNS, "customized")


def test_marks_that_would_not_be_looked_at_are_refused_with_the_remedy():
    with pytest.raises(RenderError, match="set train_on=customized"):
        trained_turns((user("a"), assistant("b", trainable=False)), "all_assistant_messages")


def examples(train_on, *messages):
    renderer = get_renderer("qwen3", fixture_tokenizer())
    made = renderer.examples(talk(*messages), train_on)
    return [trained_text(fixture_tokenizer(), example) for example in made]


def test_where_history_is_rewritten_each_trained_answer_is_an_example():
    marked = (user("a"), assistant("b"), user("c"), assistant("d"))
    block = "<think>\n\n</think>\n\n"
    end = "<|im_end|>"
    assert examples("all_assistant_messages", *marked) == [f"{block}b{end}", f"{block}d{end}"]
    customized = (user("a"), assistant("b", trainable=True), user("c"), assistant("d"))
    assert examples("customized", *customized) == [f"{block}b{end}"]
    assert examples("last_assistant_message", *marked) == [f"{block}d{end}"]


def test_where_no_earlier_answer_is_trained_the_conversation_is_one_example():
    assert len(examples("all_messages", user("a"), assistant("b"))) == 1
    questions = examples("all_user_and_system_messages", *TURNS[:5])
    assert questions == ["s<|im_end|>a<|im_end|>c<|im_end|>"]


@pytest.mark.parametrize("train_on", ["all_messages", "all_tokens"])
def test_earlier_answers_can_t_be_trained_together_with_questions(train_on):
    with pytest.raises(RenderError, match="set train_on=all_assistant_messages"):
        examples(train_on, *TURNS)
