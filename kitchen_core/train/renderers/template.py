"""The model's own chat template, with what each turn says found in it.

Where the template marks the assistant's spans (`{% generation %}`) the marks are taken; otherwise
a turn is found by comparing the conversation before it to the conversation after it. Where that
comparison does not hold the conversation is refused: training on wrong spans is worse than not
training.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.tokenizer import Encoded, Span, Tokenizer
from kitchen_core.train.renderers.base import (
    Parsed,
    Rendered,
    RenderError,
    Stop,
    TrainOnWhat,
)
from kitchen_core.train.renderers.blocks import parse_blocks
from kitchen_core.train.renderers.template_facts import TemplateFacts
from kitchen_core.train.renderers.template_turns import HistoryRewritten, TemplateTurns
from kitchen_core.train.renderers.turns import one_per_trained_turn, trained_turns
from kitchen_core.train.types import Message


class TemplateRenderer:
    """Renders through the tokenizer's own chat template."""

    name = "template"

    def __init__(self, tokenizer: Tokenizer) -> None:
        if not tokenizer.has_chat_template:
            raise RenderError(
                "the model has no chat template; set renderer=role_colon, take an instruct model, or add "
                "a template to its tokenizer_config.json"
            )
        self._tokenizer = tokenizer
        self._ends = frozenset(tokenizer.eos_token_ids)
        self._facts = TemplateFacts(tokenizer)
        self._turns = TemplateTurns(tokenizer, self._facts)

    @property
    def extends(self) -> bool:
        """Whether the template leaves earlier answers as they are."""
        return self._facts.extends

    @property
    def fingerprint(self) -> str:
        """The tokenizer, whose template it is."""
        return f"{self.name}:{self._tokenizer.fingerprint}"

    @property
    def stop(self) -> Stop:
        """The tokens that end a turn."""
        return Stop(tokens=self._tokenizer.eos_token_ids)

    def prompt(self, conversation: Conversation) -> list[int]:
        """The conversation so far, ready for the assistant to go on: `[seq]`. Raises RenderError."""
        conversation = self._facts.spellable(conversation)
        return self._encode(self._turns.prompt(conversation)).tokens

    def supervised(self, conversation: Conversation, train_on: TrainOnWhat) -> Rendered:
        """The whole conversation as one sequence with the trained tokens marked.

        Raises RenderError where the template refuses it, or leaves out or rewrites what is trained.
        """
        conversation = self._facts.spellable(conversation)
        turns = trained_turns(conversation.messages, train_on)
        chat = self._turns.chat(conversation)
        encoded = self._encode(chat.text)
        if train_on == "all_tokens":
            return Rendered(encoded.tokens, [True] * len(encoded.tokens))
        spans = self._turns.said(conversation, chat, turns)
        return Rendered(encoded.tokens, _covered(encoded, spans))

    def examples(self, conversation: Conversation, train_on: TrainOnWhat) -> list[Rendered]:
        """One sequence, or one for each trained answer where the template rewrites earlier ones.

        Raises RenderError.
        """
        try:
            if self.extends or self._turns.stay(self._facts.spellable(conversation)):
                return [self.supervised(conversation, train_on)]
        except HistoryRewritten:
            pass
        return one_per_trained_turn(conversation, train_on, self.supervised)

    def parse(self, completion: Sequence[int]) -> Parsed:
        """The assistant's message: `<think>` and `<tool_call>` blocks taken out of its text.

        Complete where it ends with the end of turn and every block is whole.
        """
        end = next((i for i, token in enumerate(completion) if token in self._ends), None)
        text = self._tokenizer.decode(completion[:end])
        if end is None or end != len(completion) - 1:
            return Parsed(Message("assistant", text), complete=False)
        if self._facts.opens_thought and not text.lstrip().startswith("<think>"):
            text = f"<think>{text}"
        return parse_blocks(text, framed=True)

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as a person would read them: control tokens left out."""
        return self._tokenizer.decode(tokens, skip_special=True)

    def _encode(self, text: str) -> Encoded:
        """The text's tokens, no one of which reaches from a prompt into its answer: what is trained
        begins with exactly what sampling begins with.
        """
        cut = self._facts.cut
        if not cut:
            return self._tokenizer.encode_with_spans(text)
        encoded = Encoded([], [])
        at = 0
        while at < len(text):
            found = text.find(cut, at)
            end = len(text) if found < 0 else found + len(cut)
            piece = self._tokenizer.encode_with_spans(text[at:end])
            encoded.tokens.extend(piece.tokens)
            encoded.spans.extend((a + at, b + at) for a, b in piece.spans)
            at = end
        return encoded


def _covered(encoded: Encoded, spans: Iterable[Span]) -> list[bool]:
    """For each token, whether any of it lies in one of the spans."""
    starts = [start for start, _ in encoded.spans]
    ends = [end for _, end in encoded.spans]
    covered = [False] * len(starts)
    for start, end in spans:
        first, stop = bisect_right(ends, start), bisect_left(starts, end)
        covered[first:stop] = [True] * (stop - first)
    return covered
