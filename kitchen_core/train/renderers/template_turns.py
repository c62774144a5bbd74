"""Where in a template's text each turn is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.ports.tokenizer import ChatText, Span, Tokenizer
from kitchen_core.train.renderers.base import RenderError
from kitchen_core.train.renderers.template_facts import TemplateFacts, alike
from kitchen_core.train.types import Message


class HistoryRewritten(RenderError):  # noqa: N818 - says what happened
    """A template that writes a turn otherwise once another follows it."""

    def __init__(self) -> None:
        super().__init__(
            "this model's chat template rewrites earlier turns, so what they say can't be told apart; "
            "set train_on=last_assistant_message, or mark the answers in the template with "
            "{% generation %}"
        )


class TemplateTurns:
    """Finds turns by the template's marks, or by comparing texts that differ by one turn."""

    def __init__(self, tokenizer: Tokenizer, facts: TemplateFacts) -> None:
        self._tokenizer = tokenizer
        self._facts = facts

    def chat(self, conversation: Conversation, *, prompt: bool = False) -> ChatText:
        """The template's text. Raises RenderError where it refuses."""
        try:
            return self._tokenizer.chat_text(
                conversation.messages, tools=conversation.tools, add_generation_prompt=prompt
            )
        except InvalidRequest as error:
            raise RenderError(f"{error}{_remedy(conversation)}") from error

    def prompt(self, conversation: Conversation) -> str:
        """The conversation so far, ready for the assistant to go on."""
        return self.chat(conversation, prompt=True).text

    def said(self, conversation: Conversation, chat: ChatText, turns: Sequence[bool]) -> list[Span]:
        """What is said, its end included, in each of the turns that are chosen.

        Raises RenderError where the template leaves out or rewrites something of it.
        """
        messages = conversation.messages
        answers = [message.role == "assistant" for message in messages]
        if chat.said and list(turns) == answers:
            for i in compress(range(len(messages)), answers):
                _check_whole(messages[i], chat.text, i)
            return [self._with_end(chat.text, mark) for mark in chat.said]
        marks = _by_turn(chat, answers)
        spans = []
        for i, message in enumerate(messages):
            if not turns[i]:
                continue
            if i in marks:
                span = self._with_end(chat.text, marks[i])
            else:
                find = self._answer if answers[i] else self._other_turn
                span = find(conversation, i, chat.text)
            # a mark is the template's word on what of a turn is trained; said it must be in any case
            _check_whole(message, chat.text if i in marks else chat.text[slice(*span)], i)
            spans.append(span)
        return spans

    def stay(self, conversation: Conversation) -> bool:
        """Whether every earlier answer of the conversation stands in its text as it was given."""
        text = self.chat(conversation).text
        return all(
            text.startswith(self.chat(conversation.upto(i + 1)).text)
            for i, message in enumerate(conversation.messages[:-1])
            if message.role == "assistant"
        )

    def _with_end(self, text: str, mark: Span) -> Span:
        """A marked span, stretched over the end of turn where the mark stops before it."""
        start, stop = mark
        if text.endswith(self._facts.ends, start, stop):
            return mark
        end = next((end for end in self._facts.ends if text.startswith(end, stop)), "")
        return start, stop + len(end)

    def _answer(self, conversation: Conversation, i: int, text: str) -> Span:
        """From the prompt's end to the end of turn."""
        stop = self._upto(conversation, i + 1, text)
        prompt = self.prompt(conversation.upto(i))
        if not text.startswith(prompt):
            raise RenderError(
                "this model's chat template begins answers otherwise than its generation prompt ends, so "
                "what is trained would not follow what is sampled; mark the answers in the template with "
                "{% generation %}, or set another renderer"
            )
        content = conversation.messages[i].content
        return len(prompt), self._turn_end(text, len(prompt), stop, content)

    def _other_turn(self, conversation: Conversation, i: int, text: str) -> Span:
        """From where the text depends on what the turn says to its end."""
        stop = self._upto(conversation, i + 1, text)
        message = conversation.messages[i]
        changed = replace(message, content=_unlike(message.content))
        messages = (*conversation.messages[:i], changed)
        other = self.chat(replace(conversation, messages=messages)).text
        start = alike(text[:stop], other)
        after = alike(text[start:stop][::-1], other[start:][::-1])
        return start, self._next_end(text, stop - after, stop)

    def _upto(self, conversation: Conversation, end: int, text: str) -> int:
        """How much of `text` its first `end` turns make."""
        if end == len(conversation.messages):
            return len(text)
        shorter = self.chat(conversation.upto(end)).text
        if not text.startswith(shorter):
            raise HistoryRewritten
        return len(shorter)

    def _turn_end(self, text: str, start: int, stop: int, content: str) -> int:
        """Just after the end token behind what is said; what a template puts behind that (a line
        end) is not the model's to say. Where there is none, all of it is.
        """
        said = text.find(content.strip(), start, stop)
        floor = start if said < 0 else said + len(content.strip())
        tail = self._facts.tail.search(text, floor, stop)
        return self._next_end(text, tail.start() if tail else stop, stop)

    def _next_end(self, text: str, start: int, stop: int) -> int:
        """Just after the first end token from `start` on."""
        found = ((text.find(end, start, stop), end) for end in self._facts.ends)
        return min((at + len(end) for at, end in found if at >= 0), default=stop)


def _by_turn(chat: ChatText, answers: Sequence[bool]) -> dict[int, Span]:
    """The marked span of each answer; none where the marks are not one for each."""
    marks = chat.said or ()
    places = list(compress(range(len(answers)), answers))
    return dict(zip(places, marks, strict=True)) if len(marks) == len(places) else {}


def _unlike(content: str) -> str:
    """A text that neither begins nor ends as `content` does."""
    said = content.strip()
    return next(char for char in "XYZ" if char not in (said[:1], said[-1:]))


def _check_whole(message: Message, said: str, i: int) -> None:
    """Raise RenderError where the template left out something that the turn says."""
    parts = (message.content, message.thinking or "", *(call.name for call in message.tool_calls))
    if not all(part.strip() in said for part in parts):
        raise RenderError(
            f"this model's chat template leaves out or rewrites part of its turn {i + 1} "
            f"({message.role}), which would be trained; set another renderer or train_on, or change the "
            "template"
        )


def _remedy(conversation: Conversation) -> str:
    """What to do where the template refuses the conversation, if that is likely to be the tools."""
    messages = conversation.messages
    calls = any(message.role == "tool" or message.tool_calls for message in messages)
    return "; take another model, or leave out the tool turns" if calls else ""
