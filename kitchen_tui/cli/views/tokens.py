"""Text that is made of tokens, as one looks at it: what is marked in it, line breaks, odd characters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

_DELETE, _LAST_CONTROL = 0x7F, 0x9F
_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    **dict.fromkeys(range(_DELETE, _LAST_CONTROL + 1), "\N{REPLACEMENT CHARACTER}"),
    _DELETE: "␡",
    ord("\t"): "⇥",
    ord("\n"): "↵\n",
}


@dataclass(frozen=True)
class Mark:
    """How a span stands out: in a style, or between brackets where there is no color. words: what it
    says, for a legend.
    """

    words: str
    style: str
    opens: str = ""
    closes: str = ""

    def around(self, text: str, *, color: bool) -> Text:
        """A text with the mark on it."""
        return Text(text, style=self.style) if color else Text(f"{self.opens}{text}{self.closes}")


TRAINED = Mark("trained", "green", "⟦", "⟧")
NOT_TRAINED = Mark("", "dim")


def visible(text: str) -> str:
    """Text with its line breaks marked, and control characters as pictures: a terminal obeys none."""
    return text.translate(_PICTURES).removesuffix("\n")


def has_color(console: Console) -> bool:
    """Whether colors are told apart there."""
    return console.color_system is not None and not console.no_color


def legend(*, color: bool) -> str:
    """How `trained_text` marks what is trained."""
    marked = TRAINED.around(TRAINED.words, color=color).plain
    return f"{marked} in {TRAINED.style}" if color else marked


def legend_of(marks: Iterable[Mark], *, color: bool) -> Text:
    """The words of some marks, each marked by itself."""
    return Text("  ").join(mark.around(mark.words, color=color) for mark in marks)


def trained_text(spans: Iterable[tuple[str, bool]], *, color: bool) -> Text:
    """Spans of text with those that are trained marked."""
    marked = ((said, TRAINED if trained else NOT_TRAINED) for said, trained in spans)
    return marked_text(marked, color=color)


def marked_text(spans: Iterable[tuple[str, Mark]], *, color: bool) -> Text:
    """Spans of text with their marks: by color, or by brackets without it."""
    text = Text(overflow="fold")
    for said, mark in spans:
        text.append_text(mark.around(said.translate(_PICTURES), color=color))
    if text.plain.endswith("\n"):
        text.right_crop(1)  # the sign is there; an empty line would say nothing
    return text


def row_title(where: str, tokens: int, trained: int) -> Text:
    """A row's place in its data, and its counts."""
    return Text.assemble((where or "a row", "cyan"), f"  {tokens} tokens, {trained} trained")


def indented(shown: RenderableType) -> Padding:
    """What stands below a title."""
    return Padding(shown, (0, 0, 0, 2), expand=False)
