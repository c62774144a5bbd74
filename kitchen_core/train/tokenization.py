"""Whether two models read the same tokens in the same texts.

A teacher or a reference that tokenizes differently scores other tokens than the model in training
chose, and nothing fails: the run learns noise. So it is looked for before anything is trained.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_core.train.ports.tokenizer import Tokenizer

HARD_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "  two spaces,\ttab,\n\nblank line\r\nand one at the end ",
    "3.14159 1,000,000 2026-11-24 0x1F 12345678901234567890",
    "\\boxed{\\frac{a}{b}} = $x^2 + \\sqrt{y}$",
    "def f(x: int) -> str:\n    return f'{x!r}'\n",
    "don't I'LL we've naïve café Ångström ŒUVRE",
    "日本語のテキスト 中文，标点。 한국어 العربية עברית ไทย हिन्दी",
    "👩‍👩‍👧‍👦 🏳️‍🌈 é é \u00a0\u200b\ufeff�",
    "<|endoftext|> <|im_start|>user <s> </s> [INST] <think> <|eot_id|>",
)
"""Texts at which tokenizers part: white space, digits, code, accents, scripts, control tokens."""


class TokenizationDiffers(ValueError):  # noqa: N818 - named by what was found
    """Two models read different tokens in one text."""


def check_tokenization(
    name: str, other: Tokenizer, own: Tokenizer, texts: Iterable[str], *, otherwise: str = ""
) -> None:
    """Hold another model's tokens of the texts, and of texts at which tokenizers part, against those
    of the model in training. Equal fingerprints need no look.

    name: what the other is, for people, such as `the teacher org/model`. otherwise: what else can be
    done than to take another one. Raises TokenizationDiffers with the first text that differs and
    what each makes of it.
    """
    if other.fingerprint == own.fingerprint:
        return
    for text in (*texts, *HARD_TEXTS):
        theirs, ours = other.encode(text), own.encode(text)
        if theirs != ours:
            first = _first_difference(theirs, ours)
            raise TokenizationDiffers(
                f"{name} does not tokenize as the model in training does: it reads "
                f"{_shown_text(text)} as {_shown(other, theirs, first)}, the model in training as "
                f"{_shown(own, ours, first)}; take one with the same tokenizer{otherwise}"
            )


def _first_difference(theirs: list[int], ours: list[int]) -> int:
    pairs = enumerate(zip(theirs, ours, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(theirs), len(ours)))


_SHOWN_TOKENS, _SHOWN_TEXT = 4, 60


def _shown_text(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_TEXT else f"{text[: _SHOWN_TEXT - 3]}...")


def _shown(tokenizer: Tokenizer, tokens: list[int], first: int) -> str:
    """Some tokens from the first that differs on, with their ids."""
    shown = [f"{tokenizer.decode([t])!r} {t}" for t in tokens[first : first + _SHOWN_TOKENS]]
    before = "... " if first else ""
    after = " ..." if len(tokens) > first + _SHOWN_TOKENS else ""
    return f"[{before}{', '.join(shown) or 'nothing more'}{after}]"
