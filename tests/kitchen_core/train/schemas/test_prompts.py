"""Rows read as prompts may come without an answer; those that have one keep it."""

import pytest

from kitchen_core.train.schemas import EXAMPLES, PROMPTS, RowError, rows_as
from kitchen_core.train.types import Message

ASKED, TOLD = Message("user", "1+1?"), Message("assistant", "2")
ALONE = {
    "messages": {"messages": [{"role": "user", "content": "1+1?"}]},
    "sharegpt": {"conversations": [{"from": "human", "value": "1+1?"}]},
    "prompt": {"prompt": "1+1?"},
    "prompt of turns": {"prompt": [{"role": "user", "content": "1+1?"}]},
    "question": {"question": "1+1?"},
    "question and null": {"question": "1+1?", "answer": None},
    "instruction": {"instruction": "1+1?", "input": ""},
}
ANSWERED = {
    "messages": {
        "messages": [
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "2"},
        ]
    },
    "prompt": {"prompt": "1+1?", "completion": "2"},
    "question": {"question": "1+1?", "answer": 2},
    "instruction": {"instruction": "1+1?", "output": "2"},
    "preference": {"prompt": "1+1?", "chosen": "2", "rejected": "3"},
}


def prompts(*rows, **fields):
    return list(rows_as(PROMPTS, rows, "rows", fields))


def examples(*rows):
    return list(rows_as(EXAMPLES, rows, "rows"))


@pytest.mark.parametrize("row", ALONE.values(), ids=list(ALONE))
def test_a_question_alone_is_a_prompt_and_nothing_to_train_on(row):
    (prompt,) = prompts(row)
    assert prompt.question.messages == (ASKED,)
    assert prompt.reply is None
    with pytest.raises(RowError):
        examples(row)


@pytest.mark.parametrize("row", ANSWERED.values(), ids=list(ANSWERED))
def test_an_answer_that_the_data_brings_is_kept(row):
    (prompt,) = prompts(row)
    assert prompt.question.messages == (ASKED,)
    assert prompt.reply == TOLD
    assert examples(row) == [prompt]


def test_a_conversation_that_ends_with_a_question_asks_the_last_one():
    turns = [("user", "1+1?"), ("assistant", "2"), ("user", "And 1 more?")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    (prompt,) = prompts(row)
    assert prompt.question.messages[-1].content == "And 1 more?"
    assert prompt.reply is None


def test_some_rows_may_have_an_answer_and_others_not():
    first, second = prompts({"question": "1+1?"}, {"question": "1+1?", "answer": "2"})
    assert (first.reply, second.reply) == (None, TOLD)


def test_plain_text_asks_nothing_unless_it_is_said_to_be_the_prompt():
    with pytest.raises(RowError, match=r'set fields=\{"prompt": "text"\}'):
        prompts({"text": "1+1?"})
    (prompt,) = prompts({"text": "1+1?"}, prompt="text")
    assert prompt.question.messages == (ASKED,)


def test_a_system_prompt_alone_asks_nothing():
    row = {"messages": [{"role": "system", "content": "Be brief."}]}
    with pytest.raises(RowError, match="no user turn, so there is nothing to answer"):
        prompts(row)
