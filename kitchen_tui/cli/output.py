"""Where words go: results to stdout, notes to people to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from kitchen_tui.cli.errors import OutputClosed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console


def say(text: str) -> None:
    """A note for a person."""
    print(text, file=sys.stderr, flush=True)


def emit(text: str) -> None:
    """A line of the result."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise OutputClosed from None


def emit_json(value: Any, *, indent: bool = True) -> None:
    """Models, or what holds them, as JSON; indented for a person's eyes only."""
    from pydantic_core import to_json

    wide = indent and sys.stdout.isatty()
    emit(to_json(value, by_alias=True, indent=2 if wide else None).decode())


def emit_json_list(portions: Iterable[list[Any]]) -> None:
    """The same of one long list, a portion at a time."""
    from pydantic_core import to_json

    indent = 2 if sys.stdout.isatty() else None
    end = "["
    for portion in portions:
        items = to_json(portion, by_alias=True, indent=indent).decode()[1:-1].strip("\n")
        emit(f"{end}\n{items}" if indent else f"{end}{items}")
        end = ","
    emit("[]" if end == "[" else "]")


def screen(*, stderr: bool = False) -> Console:
    """A console for people. What users and models wrote is never read as markup."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise OutputClosed

    return Screen(stderr=stderr, markup=False, highlight=False, emoji=False)


def discard_stdout() -> None:
    """Leave nothing that the interpreter would try to write at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
