"""Text that is made of tokens, as one looks at it: what is trained, line breaks, odd characters."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

TRAINED = "green"
_OPEN, _CLOSE = "⟦", "⟧"
_DELETE, _LAST_CONTROL = 0x7F, 0x9F
_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    **dict.fromkeys(range(_DELETE, _LAST_CONTROL + 1), "\N{REPLACEMENT CHARACTER}"),
    _DELETE: "␡",
    ord("\t"): "⇥",
    ord("\n"): "↵\n",
}


def visible(text: str) -> str:
    """Text with its line breaks marked, and control characters as pictures: a terminal obeys none."""
    return text.translate(_PICTURES).removesuffix("\n")


def has_color(console: Console) -> bool:
    """Whether colors are told apart there."""
    return console.color_system is not None and not console.no_color


def legend(*, color: bool) -> str:
    """How `trained_text` marks what is trained."""
    return f"trained in {TRAINED}" if color else f"{_OPEN}trained{_CLOSE}"


def trained_text(spans: Iterable[tuple[str, bool]], *, color: bool) -> Text:
    """Spans of text with those that are trained marked: by color, or by brackets without it."""
    text = Text(overflow="fold")
    for said, trained in spans:
        shown = said.translate(_PICTURES)
        if color:
            text.append(shown, style=TRAINED if trained else "dim")
        else:
            text.append(f"{_OPEN}{shown}{_CLOSE}" if trained else shown)
    if text.plain.endswith("\n"):
        text.right_crop(1)  # the sign is there; an empty line would say nothing
    return text


def row_title(where: str, tokens: int, trained: int) -> Text:
    """A row's place in its data, and its counts."""
    return Text.assemble((where or "a row", "cyan"), f"  {tokens} tokens, {trained} trained")


def indented(shown: RenderableType) -> Padding:
    """What stands below a title."""
    return Padding(shown, (0, 0, 0, 2), expand=False)
