"""From an example to the sequences that are trained on it."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen_core.train.conversations import Document, Example
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.renderers import Rendered, Renderer, RenderError, TrainOnWhat


def cut_to(max_length: int, rendered: Rendered) -> Rendered:
    """A sequence without what lies beyond `max_length` tokens."""
    return Rendered(rendered.tokens[:max_length], rendered.trained[:max_length])


@dataclass(frozen=True)
class Preparation:
    """How examples are prepared. max_length: tokens; a longer conversation is cut at the end, a longer
    plain text into several sequences.
    """

    renderer: Renderer
    tokenizer: Tokenizer
    train_on: TrainOnWhat
    max_length: int

    @property
    def fingerprint(self) -> str:
        """What the sequences of an example depend on, but for the code."""
        settings = [self.train_on, self.max_length]
        return sha256_of_json([self.renderer.fingerprint, self.tokenizer.fingerprint, *settings])

    def sequences(self, example: Example) -> list[Rendered]:
        """An example's sequences `[seq]`, those without a trained token left out.

        The first token is predicted from nothing, so it does not count as trained. Raises RenderError
        naming the row.
        """
        cut = [self.cut(rendered) for rendered in self.rendered(example)]
        return [rendered for rendered in cut if any(rendered.trained[1:])]

    def rendered(self, example: Example) -> list[Rendered]:
        """An example's sequences, a conversation's as long as they are. Raises RenderError naming the
        row.
        """
        if isinstance(example, Document):
            return self._document(example)
        try:
            return self.renderer.examples(example, self.train_on)
        except RenderError as error:
            raise RenderError(f"{example.where}: {error}") from None

    def cut(self, rendered: Rendered) -> Rendered:
        """A sequence without what lies beyond `max_length`."""
        return cut_to(self.max_length, rendered)

    @property
    def lacking(self) -> str:
        """What a row without a sequence has, in words."""
        return "no token to train"

    def untrained(self, name: str, count: str) -> str:
        """Why data can't be trained on: no sequence of so many rows has a trained token."""
        return (
            f"{name}: none of {count} rows has a token to train within "
            f"max_length={self.max_length} by train_on={self.train_on}; "
            "raise max_length, or choose another train_on"
        )

    def _document(self, document: Document) -> list[Rendered]:
        """A plain text between the tokens that begin and end texts, all trained.

        Each sequence begins with the token that the one before it ends with: the first token of a
        sequence is predicted from nothing, and so every token of the text is predicted once.
        """
        begin, text = (
            self.tokenizer.bos_token_id,
            self.tokenizer.encode(document.text, literal=True),
        )
        tokens = [*([] if begin is None else [begin]), *text, *self.tokenizer.eos_token_ids[:1]]
        starts = range(0, max(1, len(tokens) - 1), self.max_length - 1)
        pieces = [tokens[start : start + self.max_length] for start in starts]
        return [Rendered(piece, [True] * len(piece)) for piece in pieces]
