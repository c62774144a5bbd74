"""pylatexenc: LaTeX as plain text."""

from __future__ import annotations

from pylatexenc.latex2text import LatexNodes2Text


def to_text(latex: str) -> str:
    """The text that LaTeX spells, with Unicode signs where there are some. What can't be read as LaTeX
    is read as far as it can be.
    """
    return LatexNodes2Text().latex_to_text(latex)
