"""A sequence of tokens as a person reads it: its text in spans, trained and not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from kitchen_core.train.text import certain_length
from kitchen_core.train.types import Datum


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring tokens that are all trained, or all not. tokens: how many."""

    text: str
    trained: bool
    tokens: int


def spans(
    tokens: Sequence[int], trained: Sequence[bool], decode: Callable[[Sequence[int]], str]
) -> list[Span]:
    """The spans of a sequence `[seq]`; together they are its text, control tokens included.

    A character that begins in one span and ends in the next belongs to the next.
    """
    whole = decode(tokens)
    found: list[Span] = []
    start = told = 0
    for flag, count in _runs(trained):
        end = start + count
        upto = len(whole) if end == len(tokens) else certain_length(decode(tokens[:end]))
        found.append(Span(whole[told:upto], flag, count))
        start, told = end, upto
    return found


def datum_spans(datum: Datum, decode: Callable[[Sequence[int]], str]) -> list[Span]:
    """The spans of a datum's whole sequence. Its first token is predicted by nothing, so it is
    never trained.
    """
    tokens = [*datum.tokens[:1].tolist(), *datum.targets.tolist()]
    return spans(tokens, [False, *(datum.weights != 0).tolist()], decode)


def token_texts(tokens: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[str]:
    """The text of each token `[seq]`; a character that several tokens spell is the last one's."""
    alternating = [bool(i % 2) for i in range(len(tokens))]
    return [span.text for span in spans(tokens, alternating, decode)]


def scored_texts(
    tokens: Sequence[int], logprobs: Iterable[float], decode: Callable[[Sequence[int]], str]
) -> list[tuple[str, float]]:
    """The text of each token `[seq]` with its logprob, in nats."""
    texts = token_texts(tokens, decode)
    return [(text, float(logprob)) for text, logprob in zip(texts, logprobs, strict=True)]


def _runs(flags: Sequence[bool]) -> Iterator[tuple[bool, int]]:
    """Each run of equal flags, and its length."""
    for flag, run in groupby(flags):
        yield flag, sum(1 for _ in run)
