"""Graders decide what is certain themselves, ask the bridge for the rest, and tell failures apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kitchen_core.adapters.memory.bridge import MemoryBridge
from kitchen_core.stages.grading import VERIFY, BridgeGrader, ExactGrader, bridge_grader
from kitchen_core.train.grading import UnreadableGold
from kitchen_core.train.ports.errors import (
    InvalidRequest,
    NotFound,
    PortError,
    Timeout,
    Unavailable,
)


class Verifier:
    """A bridge whose verifier answers as it is told to, and what it was asked."""

    def __init__(self, says: Callable[[str, str], str]) -> None:
        self.asked: list[tuple[str, str]] = []
        self._says = says
        self.bridge = MemoryBridge({VERIFY: self._verify})

    def _verify(self, gold: str, answer: str) -> str:
        self.asked.append((gold, answer))
        return self._says(gold, answer)


async def test_what_is_certain_is_not_asked():
    verifier = Verifier(lambda gold, answer: "wrong")
    pairs = [("72", "72"), ("72", "73"), (r"\frac{1}{2}", "0.5"), ("72", ""), ("72", "9" * 5000)]
    verdicts = await BridgeGrader(verifier.bridge).grade(pairs)
    assert verdicts == ["right", "wrong", "right", "unparseable", "unparseable"]
    assert verifier.asked == []


async def test_the_right_answer_goes_first_and_each_pair_once():
    verifier = Verifier(lambda gold, answer: "right" if answer == "1+x" else "unparseable")
    grader = BridgeGrader(verifier.bridge)
    pairs = [("x+1", "1+x"), ("x+1", "?!"), ("x+1", "1+x")]
    assert await grader.grade(pairs) == ["right", "unparseable", "right"]
    assert await grader.grade(pairs[:1]) == ["right"]
    assert verifier.asked == [("x+1", "1+x"), ("x+1", "?!")]


@pytest.mark.parametrize("error", [Timeout("slow"), Unavailable("died"), InvalidRequest("raised")])
async def test_a_verifier_that_breaks_says_nothing_of_the_answer_and_is_asked_again(
    error: PortError,
):
    def break_once(gold: str, answer: str) -> str:
        if len(verifier.asked) == 1:
            raise error
        return "right"

    verifier = Verifier(break_once)
    grader = BridgeGrader(verifier.bridge)
    assert await grader.grade([("x+1", "1+x")]) == ["failed"]
    assert await grader.grade([("x+1", "1+x")]) == ["right"]


async def test_a_manifest_without_the_verifier_is_refused():
    with pytest.raises(NotFound, match=r"math_verify\.verify"):
        await BridgeGrader(MemoryBridge({})).grade([("x+1", "1+x")])


@pytest.mark.parametrize("gold", ["", "x" * 2000, "a\x00b"])
@pytest.mark.parametrize(
    "grader", [BridgeGrader(MemoryBridge()), ExactGrader()], ids=["bridge", "exact"]
)
async def test_a_right_answer_that_can_not_be_read_is_an_error(grader, gold):
    with pytest.raises(UnreadableGold, match="can't be read as mathematics"):
        await grader.grade([("1", "1"), (gold, "1")])


async def test_a_right_answer_that_the_verifier_can_not_read_is_an_error():
    verifier = Verifier(lambda gold, answer: "unreadable_gold")
    with pytest.raises(UnreadableGold, match=r"'\(\('"):
        await BridgeGrader(verifier.bridge).grade([("((", "1")])


async def test_no_pairs_have_no_verdicts():
    assert await BridgeGrader(MemoryBridge()).grade([]) == []
    assert await ExactGrader().grade([]) == []


async def test_without_algebra_what_is_not_certainly_right_is_wrong():
    pairs = [("72", "72.0"), ("x+1", "1+x"), ("x+1", "x + 1"), ("x+1", "")]
    assert await ExactGrader().grade(pairs) == ["right", "wrong", "right", "unparseable"]


async def test_the_processes_start_as_the_grader_is_made():
    verifier = Verifier(lambda gold, answer: "wrong")
    grader = bridge_grader(verifier.bridge)
    await asyncio.sleep(0)
    assert len(verifier.asked) == 1
    assert await grader.grade([("1", "1")]) == ["right"]
