import pytest

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.distillation.teacher_prompt import filled_in
from kitchen_core.train.types import Message

SYSTEM, ASKED, TOLD = (
    Message("system", "Be brief."),
    Message("user", "1+1?"),
    Message("assistant", "2"),
)


def test_the_question_is_replaced_and_the_turns_before_it_stay():
    taught = filled_in("{question} It is {answer}.", Conversation((SYSTEM, ASKED, TOLD)))
    assert taught.messages == (SYSTEM, Message("user", "1+1? It is 2."))


def test_braces_around_anything_else_stay():
    taught = filled_in("{question} Write \\boxed{x}.", Conversation((ASKED,)))
    assert taught.messages == (Message("user", "1+1? Write \\boxed{x}."),)


def test_what_is_filled_in_is_not_looked_at_again():
    asked = Conversation((Message("user", "What is {answer}?"), TOLD))
    assert filled_in("{question}", asked).messages[0].content == "What is {answer}?"


def test_an_answer_that_the_data_lacks_is_refused_by_its_row():
    with pytest.raises(ValueError, match=r"rows row 3: teacher_prompt fills in \{answer\}"):
        filled_in("{question} {answer}", Conversation((ASKED,), "rows row 3"))
