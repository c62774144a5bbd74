"""Asking the same of several runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kitchen_tui.cli.output import emit, emit_json

if TYPE_CHECKING:
    from kitchen_daemon.client import Client, Refused
    from kitchen_daemon.models import RunInfo

NOTHING_DONE = "nothing was changed"


def ask_each(
    client: Client,
    names: Sequence[str],
    ask: Callable[[str], RunInfo],
    words: Callable[[RunInfo], str],
    *,
    as_json: bool,
) -> None:
    """Ask something of each run and print what has become of it.

    A name that is no run's changes nothing. Raises Refused, which says which were asked before the one that refuses.
    """
    from kitchen_daemon.client import Refused

    ids = _ids(client, names) if len(names) > 1 else list(names)
    asked: list[RunInfo] = []
    for run_id in ids:
        try:
            asked.append(ask(run_id))
        except Refused as refusal:
            if len(ids) == 1:
                raise
            done = ", ".join(run.id for run in asked)
            raise _adding(refusal, f"done before it: {done}" if done else NOTHING_DONE) from None
        if as_json:
            emit_json(asked[-1], indent=len(ids) == 1)
        else:
            emit(words(asked[-1]))


def _ids(client: Client, names: Sequence[str]) -> list[str]:
    from kitchen_daemon.client import Refused

    try:
        return list(dict.fromkeys(client.run(name).id for name in names))
    except Refused as refusal:
        raise _adding(refusal, NOTHING_DONE) from None


def _adding(refusal: Refused, note: str) -> Refused:
    from kitchen_daemon.client import Refused
    from kitchen_daemon.models import Problem

    problem = Problem(message=f"{refusal.message} ({note})", hint=refusal.hint)
    return Refused(refusal.status, problem)
