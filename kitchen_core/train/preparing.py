"""From an example to the sequences that are trained on it."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen_core.train.conversations import Document, Example
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.renderers import Rendered, Renderer, RenderError, TrainOnWhat


@dataclass(frozen=True)
class Preparation:
    """How examples are prepared. max_length: tokens; what is longer is cut at the end."""

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
        """An example's sequences as long as they are. Raises RenderError naming the row."""
        if isinstance(example, Document):
            return [self._document(example)]
        try:
            return self.renderer.examples(example, self.train_on)
        except RenderError as error:
            raise RenderError(f"{example.where}: {error}") from None

    def cut(self, rendered: Rendered) -> Rendered:
        """A sequence without what lies beyond `max_length`."""
        if len(rendered.tokens) <= self.max_length:
            return rendered
        return Rendered(rendered.tokens[: self.max_length], rendered.trained[: self.max_length])

    def untrained(self, name: str, count: str) -> str:
        """Why data can't be trained on: no sequence of so many rows has a trained token."""
        return (
            f"{name}: none of {count} rows has a token to train within "
            f"max_length={self.max_length} by train_on={self.train_on}; "
            "raise max_length, or choose another train_on"
        )

    def _document(self, document: Document) -> Rendered:
        """A plain text and the token that ends it, all trained."""
        tokens = [*self.tokenizer.encode(document.text), *self.tokenizer.eos_token_ids[:1]]
        return Rendered(tokens, [True] * len(tokens))
