"""A completion's text while its tokens come: for stop sequences, and for those who read along.

Only a few tokens are decoded at each step, never the whole completion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from kitchen_core.train.text import certain_length
from kitchen_core.train.types import SampledToken, SamplingParams, StopReason

Decode = Callable[[Sequence[int]], str]
Drawn = tuple[int, float, StopReason | None]
"""A token, its logprob, and why the completion ends with it, if it does."""

_LONGEST_WINDOW = 48
"""Tokens that may go by without one whole character; noise is no reason to decode ever more."""

_SHORTEST_WINDOW = 12
"""Tokens that hold whatever may still be uncertain: three characters of at most three bytes each."""


class Transcript:
    """The text of a completion as its tokens come; a character is given once it is whole.

    It keeps the tokens since the last place where the text was whole, and those of the step before
    for context: some tokenizers write a space only between two words.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._given = 0  # characters of the window's text
        self._whole = 0  # tokens of the window before the last place where its text was whole

    def add(self, token: int) -> str:
        """The text that has become certain with this token."""
        self._window.append(token)
        text = self._decode(self._window)
        certain = max(self._given, certain_length(text))
        new = text[self._given : certain]
        self._given = certain
        if certain == len(text):
            self._keep(self._window[self._whole :], uncertain=0)
            self._whole = len(self._window)
        elif len(self._window) > _LONGEST_WINDOW:
            self._keep(self._window[-_SHORTEST_WINDOW:], uncertain=len(text) - certain)
            self._whole = 0
        return new

    @property
    def rest(self) -> str:
        """What of a last character has come."""
        return self._decode(self._window)[self._given :]

    def _keep(self, window: list[int], uncertain: int) -> None:
        if len(window) < len(self._window):
            self._window = window
            self._given = len(self._decode(window)) - uncertain


class StopTexts:
    """Tells when one completion has come to a stop text, wherever that lies across its tokens.

    decode: control tokens shown, for a stop text may name one.
    """

    def __init__(self, texts: Sequence[str], decode: Decode) -> None:
        self._texts = texts
        self._transcript = Transcript(decode)
        self._longest = max(map(len, texts))
        self._recent = ""

    def completed_by(self, token: int) -> bool:
        """Whether a stop text is complete with this token, the completion's next."""
        recent = self._recent + self._transcript.add(token)
        self._recent = recent[-(self._longest - 1) :] if self._longest > 1 else ""
        return any(text in recent for text in self._texts)


def stop_tokens(params: SamplingParams, default: tuple[int, ...]) -> tuple[int, ...]:
    """The tokens that end a completion: `default` where the caller names no end at all."""
    return params.stop if params.stop or params.stop_texts else default


def spoken(drawn: Iterable[Drawn], decode: Decode) -> Iterator[SampledToken]:
    """Tokens with the text that each adds. decode: control tokens left out."""
    transcript = Transcript(decode)
    for token, logprob, reason in drawn:
        text = transcript.add(token)
        yield SampledToken(token, text + (transcript.rest if reason else ""), logprob, reason)
