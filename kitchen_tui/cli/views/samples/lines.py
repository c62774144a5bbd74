"""A sample in one line, for a page that has room for a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

from kitchen_core.telemetry.schema import Event
from kitchen_tui.cli.views.samples.look import RIGHT, WRONG
from kitchen_tui.format import number, one_line, signed

_Told = tuple[Text, str, str]
"""How good it is, what was asked, and what was said."""


def sample_line(event: Event, width: int) -> Text:
    """What was asked, what the model said, and how good that is, in `width` characters."""
    tell = _TELL.get(event.metadata.get("kind", "answer"), _answer)
    worth, asked, said = tell(event.metadata, event.measurements)
    room = width - worth.cell_len
    prompt = one_line(asked, room // 2)
    answer = one_line(said, room - len(prompt) - 3)
    return Text.assemble(worth, (prompt, "dim"), " → ", answer)


def _answer(told: Mapping[str, Any], measured: Mapping[str, float | None]) -> _Told:
    del measured
    mark = RIGHT if told.get("correct") else WRONG
    return Text.assemble(mark), str(told.get("question", "")), str(told.get("completion", ""))


def _rollout(told: Mapping[str, Any], measured: Mapping[str, float | None]) -> _Told:
    turns = told.get("turns") or [{}]
    worth = "left out" if told.get("error") else f"reward {number(measured.get('reward'))}"
    return Text(f"{worth}  "), str(told.get("question", "")), _joined(turns[-1].get("tokens", ()))


def _pair(told: Mapping[str, Any], measured: Mapping[str, float | None]) -> _Told:
    worth = Text(f"margin {signed(measured.get('margin'))}  ")
    return worth, str(told.get("prompt", "")), str(told.get("chosen", ""))


def _distilled(told: Mapping[str, Any], measured: Mapping[str, float | None]) -> _Told:
    worth = Text(f"kl {number(measured.get('kl'))}  ")
    return worth, str(told.get("question", "")), _joined(told.get("tokens", ()))


def _joined(tokens: list[list[Any]]) -> str:
    return "".join(str(token[0]) for token in tokens)


_TELL: dict[str, Callable[[Mapping[str, Any], Mapping[str, float | None]], _Told]] = {
    "answer": _answer,
    "rollout": _rollout,
    "pair": _pair,
    "distilled": _distilled,
}
