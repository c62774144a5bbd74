"""Every problem of GSM8K's training set poses one, and its own solution's answer is right.

Give its folder: KITCHEN_TEST_DATA=FOLDER make test-slow
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kitchen_core.train.environments import get_environment
from kitchen_core.train.grading import last_number
from tests.kitchen_core.train.environments.support import GRADER, example, saying

DATA = Path(os.environ.get("KITCHEN_TEST_DATA", "/nowhere"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="KITCHEN_TEST_DATA names no folder"),
]


async def test_every_problem_of_gsm8k_is_posed_and_answered():
    lines = (DATA / "gsm8k/train.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 7473
    for line in lines:
        row = json.loads(line)
        problem = get_environment("gsm8k").group(example(row["question"], row["answer"]), GRADER)
        (env,) = problem.make(1)
        outcome = await env.step(saying(rf"So \boxed{{{last_number(row['answer'])}}}."))
        assert outcome.rewards == {"correct": 1.0, "format": 0.0}, row
