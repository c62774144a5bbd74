"""Answers are graded as tinker-cookbook grades them, but for what is wrong there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from kitchen_core.adapters.python_bridge.bridge import ProcessBridge
from kitchen_core.adapters.python_bridge.functions import wired
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.stages.grading import BridgeGrader
from kitchen_core.train.grading import behind_hashes, last_boxed, normalize_answer

RECORDED = json.loads(
    (Path(__file__).parents[2] / "fixtures/parity/math_grading/recorded.json").read_text("utf-8")
)
PAIRS = [(row["gold"], row["answer"]) for row in RECORDED["pairs"]]

SYMPY = "its sympy grader refuses powers, sets and fractions that are not reduced; math-verify compares values"
"""Why most answers that only `grade_answer` calls wrong are right."""

DIFFERENT_FROM_MATH_VERIFY = {
    (
        "0.333333",
        "0.3333333",
    ): "math-verify rounds to six digits; decimal numbers are compared exactly here",
    ("2.5e3", "2500"): "math-verify reads e as Euler's number",
    ("100", "1e2"): "math-verify reads e as Euler's number",
    (r"\frac{7}{2}", "3 1/2"): "math-verify reads a product; a mixed number is a sum",
    (
        r"(-\infty,2)",
        "x<2",
    ): "the cookbook gives the answer first; with gold first an interval is no inequality",
}

DIFFERENT_FROM_SYMPY = {
    ("12", "1 2"): "the cookbook joins digits over a space",
    (r"\frac{31}{2}", "3 1/2"): "the cookbook joins digits over a space: 3 1/2 becomes 31/2",
    ("x=5", "y=5"): "the cookbook drops both names",
    ("5", "x<=5"): "the cookbook takes `x<` for a name",
    ("10^6", "1000000"): SYMPY,
    (r"\frac{1}{2}", "2/4"): SYMPY,
    (r"\frac{72}{1}", "72"): SYMPY,
    ("50\\%", "0.5"): "its sympy grader drops the sign of percent only",
    (r"\sqrt{2}", "1.41421356"): "its sympy grader compares exactly; math-verify to six digits",
    (r"\sqrt[3]{8}", "2"): SYMPY,
    (r"2\pi", "6.283185307"): "its sympy grader compares exactly; math-verify to six digits",
    ("2^{10}", "1024"): SYMPY,
    ("2^{10}", r"2^5\cdot 32"): SYMPY,
    (r"3\cdot 10^{8}", "300000000"): SYMPY,
    (r"\log_2 8", "3"): SYMPY,
    ("y=2x+3", "2x-y+3=0"): "its sympy grader reads no equations",
    (r"\frac{x+2}{7}", "(x+2)/7"): "its sympy grader loses the parentheses",
    (r"\frac{1}{1-x}", r"-\frac{1}{x-1}"): "its sympy grader loses the parentheses",
    (r"\sin^2 x+\cos^2 x", "1"): SYMPY,
    (r"\{1,2\}", r"\{2,1\}"): "its sympy grader compares sets in order",
    ("1,2", "2,1"): "its sympy grader compares several answers in order",
    (r"x\in[1,2]", "[1,2]"): "its sympy grader reads no membership",
    (r"(1,2)\cup(3,4)", r"(3,4)\cup(1,2)"): "its sympy grader reads no unions",
    (r"\pm 2", "2,-2"): "its sympy grader does not write out the sign",
    ("1:2", "1/2"): "its sympy grader reads no ratios",
}

NORMALIZED_OTHERWISE = {
    r"\frac{72}1": "an argument without braces behind one with them gets its own",
    r"\sqrt[3]{2}": r"the cookbook breaks the index: \sqrt{[}3]{2}",
    r"\sqrt\pi": r"the cookbook breaks the command: \sqrt{\}pi",
    "3 1/2": "the cookbook joins digits over a space",
    "10 000": "the cookbook joins digits over a space",
    "xy = 5": "the cookbook counts the space before the sign into the name's two letters",
    "a<=b": "the cookbook takes `a<` for a name",
    "-.5": "the cookbook puts a zero before a point only at the beginning",
    r"5\text{ cm}\text{ x}": "the cookbook gives up where there are two units, and leaves all as it was",
    r"\text{a}+\text{b}": r"the cookbook takes the outermost braces for those of one \text",
    "01/2": "the cookbook leaves numbers with leading zeros alone",
    r"\leftarrow": r"the cookbook removes \left from within a command",
}

BOXED_OTHERWISE = {
    r"a } b \boxed{5}": "the cookbook gives up at a brace that closes nothing",
    r"\boxed 5 or \boxed 6": "the cookbook takes the first without braces, the last with them",
    r"\boxed {5}": "the cookbook knows no space before the brace",
    r"\boxed{a\}b}": r"the cookbook takes the sign \} for a brace",
}


@pytest.fixture(scope="module")
def verdicts() -> dict[tuple[str, str], str]:
    return asyncio.run(_graded())


async def _graded() -> dict[tuple[str, str], str]:
    bridge = ProcessBridge(wired(["math_verify"], {}), Limits(1, timeout_s=20.0))
    found = await BridgeGrader(bridge).grade(PAIRS)
    await bridge.close()
    return dict(zip(PAIRS, found, strict=True))


def test_there_are_at_least_eighty_hard_cases():
    assert len(set(PAIRS)) == len(PAIRS) >= 80


@pytest.mark.parametrize(
    ("theirs", "reasons"),
    [("math_verify", DIFFERENT_FROM_MATH_VERIFY), ("grade_answer", DIFFERENT_FROM_SYMPY)],
)
def test_every_verdict_is_theirs_but_for_the_listed(verdicts, theirs, reasons):
    different = {
        (row["gold"], row["answer"])
        for row in RECORDED["pairs"]
        if (verdicts[row["gold"], row["answer"]] == "right") != row[theirs]
    }
    assert different == set(reasons)


def test_no_verdict_is_one_that_neither_of_their_graders_has(verdicts):
    alone = {
        (row["gold"], row["answer"])
        for row in RECORDED["pairs"]
        if (verdicts[row["gold"], row["answer"]] == "right")
        not in (row["math_verify"], row["grade_answer"])
    }
    assert alone == set()


def test_what_can_not_be_read_is_counted_apart(verdicts):
    unparseable = {answer for (_, answer), verdict in verdicts.items() if verdict == "unparseable"}
    assert unparseable == {"", "\\frac{", "))((", "\\text{}", "?"}
    assert "failed" not in verdicts.values()


def test_answers_are_spelled_as_theirs_but_for_the_listed():
    different = {
        text for text, theirs in RECORDED["normalized"] if normalize_answer(text) != theirs
    }
    assert different == set(NORMALIZED_OTHERWISE)


def test_boxes_are_read_as_theirs_but_for_the_listed():
    different = {text for text, theirs in RECORDED["boxed"] if last_boxed(text) != theirs}
    assert different == set(BOXED_OTHERWISE)


def test_gsm8k_answers_are_read_as_theirs_but_that_an_empty_one_is_none():
    different = {text for text, theirs in RECORDED["gsm8k"] if behind_hashes(text) != theirs}
    assert different == {"####"}
