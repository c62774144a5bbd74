import pytest

from kitchen_core.train.schemas import RowError, conversations_from_rows


def turns(*pairs):
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


def test_the_answer_is_the_last_assistant_turn_and_the_prompt_what_is_before_it():
    row = turns(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    (conversation,) = conversations_from_rows([row], "x.jsonl")
    assert conversation.answer == "d"
    assert [message.content for message in conversation.prompt] == ["a", "b", "c"]


BAD = {
    "no messages": (
        {"text": "hi"},
        "x.jsonl row 2: field 'messages': is missing (the row has: text)",
    ),
    "empty": ({"messages": []}, "field 'messages': expected a list of turns, found []"),
    "not a list": ({"messages": "hi"}, "field 'messages': expected a list of turns, found 'hi'"),
    "turn is text": ({"messages": ["hi"]}, "field 'messages[0]': expected an object"),
    "unknown role": (
        turns(("human", "hi")),
        "field 'messages[0].role': expected one of system, user",
    ),
    "content is null": (
        turns(("user", None)),
        "field 'messages[0].content': expected text, found None",
    ),
    "no answer": (turns(("user", "hi")), "no assistant turn, so there is nothing to learn"),
    "assistant first": (turns(("assistant", "hi")), "can't begin with the assistant"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_row_that_does_not_fit_is_named_with_its_field(case):
    row, message = BAD[case]
    good = turns(("user", "a"), ("assistant", "b"))
    with pytest.raises(RowError, match=r"x\.jsonl row 2") as refused:
        conversations_from_rows([good, row], "x.jsonl")
    assert message in str(refused.value)
