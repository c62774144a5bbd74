"""What a chat template can spell, found by asking it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.renderers.blocks import (
    calls_text,
    framed_thought,
    function_schemas,
    with_tools_said,
)
from kitchen_core.train.types import Message, ToolCall

_PROBE = "crucible"
_ASKED = (Message("user", "a"),)
_ANSWERED = (*_ASKED, Message("assistant", "b"))
_THOUGHT = (*_ASKED, Message("assistant", "b", thinking=_PROBE))
_CALLED = (
    *_ASKED,
    Message("assistant", "", tool_calls=(ToolCall(_PROBE, "{}", id="abcdefghi"),)),
)
_TOOL = {"name": _PROBE, "description": "", "parameters": {"type": "object", "properties": {}}}


class TemplateFacts:
    """Each fact is found when it is first asked for. A template that refuses the question is taken
    to know the matter, so that it refuses the real conversation itself.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def prompt_end(self) -> str:
        """What the template writes to have the assistant go on."""
        asked, prompt = self._text(_ASKED), self._text(_ASKED, prompt=True)
        return prompt[alike(asked, prompt) :] if asked and prompt else ""

    @cached_property
    def cut(self) -> str:
        """A text behind which a sequence is encoded anew, so that no token reaches from a prompt
        into its answer: the prompt's end. Empty where that is one token in any case, or where the
        tokenizer puts a space before every text that it is given.
        """
        joined = self._tokenizer.encode("a") + self._tokenizer.encode("b")
        if self._tokenizer.token_id(self.prompt_end) is not None:
            return ""
        return self.prompt_end if self._tokenizer.decode(joined) == "ab" else ""

    @cached_property
    def opens_thought(self) -> bool:
        """Whether a prompt ends inside a `<think>` block."""
        return self.prompt_end.rstrip().endswith("<think>")

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The texts of the tokens that end a completion."""
        return tuple(self._tokenizer.decode([token]) for token in self._tokenizer.eos_token_ids)

    @cached_property
    def tail(self) -> re.Pattern[str]:
        """End tokens and space, as they stand behind the last thing said."""
        return re.compile(f"(?:{'|'.join(map(re.escape, self.ends))}|\\s)*\\Z")

    @cached_property
    def extends(self) -> bool:
        """Whether answers stay as they are when the conversation goes on."""
        return self._stays(_ANSWERED) and self._stays(_THOUGHT)

    def spellable(self, conversation: Conversation) -> Conversation:
        """The conversation with everything in it where the template will look: what it has no place
        for is written into the text, as `<think>` and `<tool_call>` blocks and a list of tools in the
        system turn.
        """
        messages, tools = conversation.messages, conversation.tools
        if tools and not self._spells_tools:
            messages, tools = with_tools_said(messages, tools), ()
        return replace(
            conversation,
            messages=tuple(self._spellable_turn(message) for message in messages),
            tools=tuple(function_schemas(tools)),
        )

    def _spellable_turn(self, message: Message) -> Message:
        if message.role != "assistant":
            return message
        if "<think>" in message.content and message.thinking is None and self._spells_thinking:
            message = _thought_apart(message)
        if message.tool_calls and not self._spells_calls:
            separator = "\n" if message.content else ""
            content = message.content + separator + calls_text(message.tool_calls)
            message = replace(message, tool_calls=(), content=content)
        if message.thinking is not None and not self._spells_thinking:
            content = framed_thought(message.thinking) + message.content.lstrip("\n")
            message = replace(message, thinking=None, content=content)
        return message

    @cached_property
    def _spells_tools(self) -> bool:
        return self._is_said(self._text(_ASKED, tools=function_schemas([_TOOL])))

    @cached_property
    def _spells_calls(self) -> bool:
        return self._is_said(self._text(_CALLED))

    @cached_property
    def _spells_thinking(self) -> bool:
        return self._is_said(self._text(_THOUGHT))

    def _is_said(self, text: str | None) -> bool:
        return text is None or _PROBE in text

    def _stays(self, turns: tuple[Message, ...]) -> bool:
        now, later = self._text(turns), self._text((*turns, *_ASKED))
        return now is None or later is None or later.startswith(now)

    def _text(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        prompt: bool = False,
    ) -> str | None:
        """The template's text; None where it refuses."""
        try:
            return self._tokenizer.chat_text(
                messages, tools=tools, add_generation_prompt=prompt
            ).text
        except InvalidRequest:
            return None


def alike(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _thought_apart(message: Message) -> Message:
    """An answer that begins with a `<think>` block, with the thought taken out of its text."""
    content = message.content.lstrip()
    thought, closed, rest = content.removeprefix("<think>").partition("</think>")
    if not closed or not content.startswith("<think>"):
        return message
    return replace(message, thinking=thought.strip("\n"), content=rest.lstrip("\n"))
