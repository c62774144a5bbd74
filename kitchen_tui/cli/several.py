"""Asking the same of several runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kitchen_tui.cli.output import emit, emit_json

if TYPE_CHECKING:
    from kitchen_daemon.client import Client, Refused
    from kitchen_daemon.models import RunInfo


def ask_each(
    client: Client,
    names: Sequence[str],
    ask: Callable[[str], RunInfo],
    words: Callable[[RunInfo], str],
    as_json: bool,
) -> list[RunInfo]:
    """Ask something of each run and print what has become of it.

    A name that is no run's changes nothing. Raises Refused, which says which were asked before the one that refuses.
    """
    ids = _ids(client, names) if len(names) > 1 else list(names)
    asked: list[RunInfo] = []
    for run_id in ids:
        asked.append(_asked(ask, run_id, asked))
        if as_json:
            emit_json(asked[-1], indent=len(ids) == 1)
        else:
            emit(words(asked[-1]))
    return asked


def _ids(client: Client, names: Sequence[str]) -> list[str]:
    from kitchen_daemon.client import Refused

    try:
        return list(dict.fromkeys(client.run(name).id for name in names))
    except Refused as refusal:
        raise _adding(refusal, "nothing was changed") from None


def _asked(ask: Callable[[str], RunInfo], run_id: str, before: Sequence[RunInfo]) -> RunInfo:
    from kitchen_daemon.client import Refused

    try:
        return ask(run_id)
    except Refused as refusal:
        if not before:
            raise
        done = ", ".join(run.id for run in before)
        raise _adding(refusal, f"done before it: {done}") from None


def _adding(refusal: Refused, note: str) -> Refused:
    from kitchen_daemon.client import Refused
    from kitchen_daemon.models import Problem

    problem = Problem(message=f"{refusal.message} ({note})", hint=refusal.hint)
    return Refused(refusal.status, problem)
