"""Graders: answers held against what is right, with and without an algebra system."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from kitchen_core.train.grading import (
    Grader,
    UnreadableGold,
    Verdict,
    certain_verdict,
    is_readable,
)
from kitchen_core.train.ports.errors import NotFound, PortError
from kitchen_core.train.ports.python_bridge import PythonBridge

VERIFY = "math_verify.verify"
_REMEMBERED = 10_000

Pair = tuple[str, str]


class BridgeGrader:
    """Decides what is certain at once and asks math-verify, over the python bridge, for the rest.

    What it decided it remembers: a group's episodes often give the same answer.
    """

    def __init__(self, bridge: PythonBridge) -> None:
        self._bridge = bridge
        self._decided: dict[Pair, Verdict] = {}
        self._warming: asyncio.Task[None] | None = None

    def warm_up(self) -> None:
        """Have the processes started in the background, so that the first answers need not wait."""
        self._warming = asyncio.create_task(self._start_processes())

    async def grade(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """As the protocol says. Raises NotFound where the manifest does not wire math_verify."""
        for gold, _ in pairs:
            _check_gold(gold)
        found: dict[Pair, Verdict] = {}
        for pair in pairs:
            if verdict := self._decided.get(pair) or certain_verdict(*pair):
                found[pair] = verdict
        asked = list(dict.fromkeys(pair for pair in pairs if pair not in found))
        if asked:
            found |= await self._verified(asked)
        return [found[pair] for pair in pairs]

    async def _verified(self, asked: Sequence[Pair]) -> dict[Pair, Verdict]:
        results = await self._bridge.map(VERIFY, asked)
        found: dict[Pair, Verdict] = {}
        for pair, result in zip(asked, results, strict=True):
            found[pair] = _verdict(pair, result)
        self._remember(found)
        return found

    def _remember(self, found: Mapping[Pair, Verdict]) -> None:
        if len(self._decided) > _REMEMBERED:
            self._decided.clear()
        for pair, verdict in found.items():
            if verdict != "failed":  # another time it may be told
                self._decided[pair] = verdict

    async def _start_processes(self) -> None:
        await self._bridge.map(VERIFY, [("1", "2")])


class ExactGrader:
    """Decides by spelling and by the value of plain numbers alone, for answers that need no algebra."""

    async def grade(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """As the protocol says: what is not certainly right is wrong."""
        for gold, _ in pairs:
            _check_gold(gold)
        return [certain_verdict(gold, answer) or "wrong" for gold, answer in pairs]


def bridge_grader(bridge: PythonBridge) -> Grader:
    """A grader over the bridge whose processes start now, in the background."""
    grader = BridgeGrader(bridge)
    grader.warm_up()
    return grader


def _check_gold(gold: str) -> None:
    if not is_readable(gold):
        raise _unreadable(gold)


def _verdict(pair: Pair, result: Any) -> Verdict:
    if isinstance(result, NotFound):
        raise result
    if isinstance(result, PortError):
        return "failed"
    if result in get_args(Verdict):
        return cast(Verdict, result)
    raise _unreadable(pair[0])


def _unreadable(gold: str) -> UnreadableGold:
    shown = gold if len(gold) <= 80 else f"{gold[:80]}…"
    return UnreadableGold(f"the right answer {shown!r} can't be read as mathematics")
