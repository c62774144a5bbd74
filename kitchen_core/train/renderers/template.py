"""The model's own chat template, with the assistant's tokens found in it.

Where the template marks the assistant's spans (`{% generation %}`) the marks are taken; otherwise
each answer is found by comparing the conversation before it (with the generation prompt) to the
conversation after it. A template on which that comparison does not hold is refused: training on
wrong spans is worse than not training.
"""

from __future__ import annotations

from collections.abc import Sequence

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.tokenizer import RenderedChat, Tokenizer
from kitchen_core.train.renderers.base import (
    Parsed,
    Rendered,
    RenderError,
    Stop,
    TrainOnWhat,
)
from kitchen_core.train.types import Message


class TemplateRenderer:
    """Renders through the tokenizer's own chat template; every assistant turn is trained, its
    end included.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        if not tokenizer.has_chat_template:
            raise RenderError(
                "the model has no chat template; use an instruct model, or add one to its tokenizer_config.json"
            )
        self._tokenizer = tokenizer
        self._ends = set(tokenizer.eos_token_ids)

    name = "template"
    extends = True

    @property
    def fingerprint(self) -> str:
        """What the rendering depends on."""
        return f"template:{self._tokenizer.fingerprint}"

    @property
    def stop(self) -> Stop:
        """The tokens that end a turn."""
        return Stop(tokens=self._tokenizer.eos_token_ids)

    def prompt(self, conversation: Conversation) -> list[int]:
        """The conversation so far, ready for the assistant to go on: `[seq]`."""
        return self._render(conversation, add_generation_prompt=True).tokens

    def supervised(
        self, conversation: Conversation, train_on: TrainOnWhat = "all_assistant_messages"
    ) -> Rendered:
        """The conversation with the assistant's tokens marked. Raises RenderError."""
        chat = self._render(conversation)
        if chat.assistant_mask is not None:
            return Rendered(chat.tokens, self._with_turn_ends(chat.tokens, chat.assistant_mask))
        return self._by_prefixes(conversation, chat.tokens)

    def examples(self, conversation: Conversation, train_on: TrainOnWhat) -> list[Rendered]:
        """The sequences to train on. Raises RenderError."""
        return [self.supervised(conversation, train_on)]

    def parse(self, completion: Sequence[int]) -> Parsed:
        """The assistant's message that a completion holds."""
        ended = bool(completion) and completion[-1] in self._ends
        return Parsed(Message("assistant", self.text(completion)), ended)

    def _render(
        self, conversation: Conversation, *, add_generation_prompt: bool = False
    ) -> RenderedChat:
        return self._tokenizer.render_chat(
            conversation.messages,
            tools=conversation.tools,
            add_generation_prompt=add_generation_prompt,
        )

    def text(self, tokens: Sequence[int]) -> str:
        """A completion as the user would read it: control tokens left out."""
        return self._tokenizer.decode(tokens, skip_special=True)

    def _with_turn_ends(self, tokens: list[int], mask: list[bool]) -> list[bool]:
        """The mask, each span stretched over the end-of-turn token that follows it."""
        trained = list(mask)
        for i in range(1, len(tokens)):
            if (
                mask[i - 1]
                and not mask[i]
                and tokens[i] in self._ends
                and tokens[i - 1] not in self._ends
            ):
                trained[i] = True
        return trained

    def _by_prefixes(self, conversation: Conversation, tokens: list[int]) -> Rendered:
        trained = [False] * len(tokens)
        for i, message in enumerate(conversation.messages):
            if message.role == "assistant":
                start = len(self._shared_prefix(self.prompt(conversation.upto(i)), tokens))
                upto = self._render(conversation.upto(i + 1)).tokens
                end = self._turn_end(tokens, start, len(self._shared_prefix(upto, tokens)))
                trained[start:end] = [True] * (end - start)
        return Rendered(tokens, trained)

    def _shared_prefix(self, prefix: list[int], tokens: list[int]) -> list[int]:
        if tokens[: len(prefix)] != prefix:
            raise RenderError(
                "this model's chat template rewrites earlier turns, so its assistant tokens can't be told apart; "
                "mark them in the template with {% generation %}"
            )
        return prefix

    def _turn_end(self, tokens: list[int], start: int, end: int) -> int:
        """Just after the turn's last end token; what a template puts behind it (a newline) is
        not the model's to say.
        """
        ends = [i for i in range(start, end) if tokens[i] in self._ends]
        return ends[-1] + 1 if ends else end
