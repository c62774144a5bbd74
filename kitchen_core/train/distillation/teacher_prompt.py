"""What the teacher alone reads in place of the question."""

from __future__ import annotations

import re
from dataclasses import replace

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.schemas import RowError

QUESTION, ANSWER = "{question}", "{answer}"
_PLACES = re.compile(r"\{(question|answer)\}")


def filled_in(template: str, conversation: Conversation) -> Conversation:
    """The conversation up to its question, whose words are replaced by the template with the question
    and the data's answer filled in. Braces around anything else stay as they are.

    Raises RowError naming the row where the template wants an answer and the data has none.
    """
    question, reply = conversation.question, conversation.reply
    if reply is None and ANSWER in template:
        problem = f"teacher_prompt fills in {ANSWER}, and this row has none"
        raise RowError(conversation.where, "", problem)
    *before, asked = question.messages
    said = {"question": asked.content, "answer": reply.content if reply else ""}
    text = _PLACES.sub(lambda found: said[found[1]], template)
    return replace(question, messages=(*before, replace(asked, content=text)))
