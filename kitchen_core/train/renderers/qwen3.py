"""The chat forms of Qwen3: the hybrid models, which think first, and the 2507 instruct ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers.base import Parsed, Stop
from kitchen_core.train.renderers.blocks import (
    calls_text,
    framed_thought,
    parse_blocks,
    with_tools_said,
)
from kitchen_core.train.renderers.spelled import CHATML, SpelledRenderer, split_at_end
from kitchen_core.train.types import Message

_START, _END = CHATML


class Qwen3InstructRenderer(SpelledRenderer):
    """ChatML with Qwen's tool blocks. These models have no thinking of their own: a thought that the
    data brings is written before the last answer, and left out of earlier ones.

    It extends where no earlier answer brings a thought.
    """

    name = "qwen3_instruct"
    extends = True
    control_tokens = CHATML

    @property
    def stop(self) -> Stop:
        """`<|im_end|>`."""
        return Stop(tokens=(self.control(_END),))

    def turns(self, conversation: Conversation) -> tuple[Message, ...]:
        """The turns, the tools written into the system turn."""
        return with_tools_said(conversation.messages, conversation.tools, ensure_ascii=True)

    def header(self, role: str, i: int) -> str:
        """The role behind `<|im_start|>`; what a tool answers comes from the user."""
        newline = "\n" if i else ""
        return f"{newline}{_START}{'user' if role == 'tool' else role}\n"

    def said(self, messages: Sequence[Message], i: int) -> list[int]:
        """Thought, text and calls, and `<|im_end|>`."""
        message = messages[i]
        if message.role == "assistant" and i < len(messages) - 1:
            message = replace(message, thinking=None)
        text = self.spoken(messages, i, message)
        if message.role == "tool":
            text = f"<tool_response>\n{text}\n</tool_response>"
        if message.tool_calls:
            separator = "\n" if message.content or message.thinking is not None else ""
            text += separator + calls_text(message.tool_calls, ensure_ascii=True)
        return [*self._tokenizer.encode(text, literal=True), self.control(_END)]

    def spoken(self, messages: Sequence[Message], i: int, message: Message) -> str:
        """Thought and text of turn `i`, which is `message`."""
        del messages, i
        if message.thinking is None:
            return message.content
        return f"<think>{message.thinking}</think>{message.content}"

    def parse(self, completion: Sequence[int]) -> Parsed:
        """Thought, text and calls; complete where `<|im_end|>` is the end and every block is whole."""
        said, ended = split_at_end(completion, self.control(_END))
        text = self._tokenizer.decode(said)
        return self.parse_text(text) if ended else Parsed(Message("assistant", text), False)

    def parse_text(self, text: str) -> Parsed:
        """An answer without its end."""
        return parse_blocks(text, framed=False)


class Qwen3Renderer(Qwen3InstructRenderer):
    """With thinking: a `<think>` block before the last answer, empty where nothing was thought, and no
    block before earlier ones; so an answer changes once it is history.
    """

    name = "qwen3"
    extends = False

    def spoken(self, messages: Sequence[Message], i: int, message: Message) -> str:
        """Thought and text, framed in the last answer where a user has asked for one."""
        asked = any(each.role == "user" for each in messages)
        if message.role == "assistant" and i == len(messages) - 1 and asked:
            return _framed(message)
        return super().spoken(messages, i, message)

    def parse_text(self, text: str) -> Parsed:
        """An answer without its end."""
        return parse_blocks(text, framed=True)


def _framed(message: Message) -> str:
    """The answer behind its block; a block that stands in the text already is framed anew."""
    thinking, content = message.thinking, message.content
    if thinking is None and "</think>" in content:
        before, _, content = content.partition("</think>")
        thinking = before.rpartition("<think>")[2]
    elif thinking is None and "<think>" in content:
        return content
    return framed_thought(thinking or "") + content.lstrip("\n")
