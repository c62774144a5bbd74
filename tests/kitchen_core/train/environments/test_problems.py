"""Environments of one question and one answer: what is asked, what is right, and what it is worth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kitchen_core import builtin
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments import (
    environment_names,
    get_environment,
    register_environment,
)
from kitchen_core.train.environments.math_problems import MATH, SUFFIX
from kitchen_core.train.grading import UnreadableGold
from kitchen_core.train.types import Message
from tests.kitchen_core.train.environments.support import GRADER, episode, example, saying, total


def group(name: str, question: str, answer: str | None):
    return get_environment(name).group(example(question, answer), GRADER)


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("math", r"\boxed{19}", "19"),
        ("math", r"First 1, then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("math", " 19 ", "19"),
        ("gsm8k", "48/2 = 24\n#### 1,072", "1072"),
        ("arithmetic", "It is 1,234.", "1234"),
        ("question_answer", " Paris\n", "Paris"),
    ],
)
def test_the_right_answer_is_read_from_the_data(name, answer, expected):
    found = group(name, "What?", answer)
    assert found.expected == expected
    assert (found.tags, found.where) == ((name,), "data.jsonl:3")


@pytest.mark.parametrize(
    "name", ["arithmetic", "math", "gsm8k", "question_answer", "math_retries", "math_tools"]
)
def test_the_question_is_asked_as_it_is_and_gsm8k_asks_for_the_box(name):
    found = group(name, "What is 1 + 1?", "#### 2")
    suffix = SUFFIX if name == "gsm8k" else ""
    (env,) = found.make(1)
    assert env.begin().messages == (Message("user", "What is 1 + 1?" + suffix),)
    assert found.question == "What is 1 + 1?" + suffix


def test_earlier_turns_and_a_system_prompt_are_kept():
    turns = (Message("system", "Be brief."), Message("user", "1 + 1?"), Message("assistant", "2"))
    found = get_environment("gsm8k").group(
        Conversation((*turns, Message("user", "And + 1?"), Message("assistant", "#### 3"))), GRADER
    )
    (env,) = found.make(1)
    assert env.begin().messages[:3] == turns
    assert env.begin().messages[3].content == "And + 1?" + SUFFIX


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("gsm8k", "72", r"data\.jsonl:3: the right answer must stand behind ####, but .* '72'"),
        ("gsm8k", "####", "must stand behind ####"),
        ("math", r"\boxed{}", r"data\.jsonl:3: the right answer must be in"),
        ("math", "x" * 2000, r"but the answer is 'x{80}…'"),
        ("arithmetic", "none", r"data\.jsonl:3: .* whole number, but is 'none'"),
        ("math", None, r"data\.jsonl:3: there is no answer"),
        ("question_answer", "  ", "there is no answer"),
    ],
)
def test_a_row_without_a_right_answer_is_named(name, answer, message):
    with pytest.raises(ValueError, match=message):
        group(name, "What?", answer)


@pytest.mark.parametrize(
    ("said", "complete", "correct", "formatted"),
    [
        (r"\boxed{2}", True, 1, 1),
        (r"\boxed{2.0}", True, 1, 1),
        (r"\boxed{3}", True, 0, 1),
        (r"\boxed{2}", False, 1, 0),
        ("2", True, 0, 0),
        ("", False, 0, 0),
        (r"\boxed{}", True, 0, 1),
    ],
)
async def test_a_boxed_answer_is_worth_what_tinker_cookbook_says(
    said, complete, correct, formatted
):
    """Its ProblemEnv: reward = 0.1 * (format - 1) + correct, where format is the box and the end of turn."""
    found = group("math", "1 + 1?", r"\boxed{2}")
    (env,) = found.make(1)
    outcome = await env.step(saying(said, complete=complete))
    assert outcome.messages == ()
    assert (outcome.metrics["correct"], outcome.metrics["format"]) == (correct, formatted)
    assert total(outcome, dict(found.reward_weights)) == pytest.approx(
        0.1 * (formatted - 1) + correct
    )


@pytest.mark.parametrize(
    ("name", "said", "correct"),
    [
        ("arithmetic", "1 + 1 = 2", 1),
        ("arithmetic", "2, or 3", 0),
        ("arithmetic", "two", 0),
        ("question_answer", " 2\n", 1),
        ("question_answer", "2.", 0),
    ],
)
async def test_without_a_box_the_text_or_its_last_number_counts(name, said, correct):
    outcome = await episode(get_environment(name)).step(saying(said))
    assert outcome.rewards == {"correct": correct, "format": 0.0}


class Saying:
    def __init__(self, verdict: str) -> None:
        self.verdict = verdict

    async def grade(self, pairs):
        if self.verdict == "unreadable":
            raise UnreadableGold("the right answer '((' can't be read")
        return [self.verdict for _ in pairs]


@pytest.mark.parametrize("verdict", ["unparseable", "failed"])
async def test_unreadable_answers_and_failed_verifiers_earn_nothing_and_are_counted_apart(verdict):
    (env,) = MATH.group(example("?", "2"), Saying(verdict)).make(1)
    outcome = await env.step(saying(r"\boxed{2}"))
    assert outcome.rewards == {"correct": 0.0, "format": 0.0}
    assert {name: outcome.metrics[name] for name in ("unparseable", "failed")} == {
        "unparseable": float(verdict == "unparseable"),
        "failed": float(verdict == "failed"),
    }


async def test_a_right_answer_that_the_grader_can_not_read_names_the_row():
    (env,) = MATH.group(example("?", "(("), Saying("unreadable")).make(1)
    with pytest.raises(UnreadableGold, match=r"data\.jsonl:3: the right answer '\(\('"):
        await env.step(saying(r"\boxed{2}"))


async def test_a_group_has_as_many_episodes_as_asked_and_no_rewards_of_its_own():
    found = group("math", "1 + 1?", "2")
    assert [len(found.make(count)) for count in (0, 1, 5)] == [0, 1, 5]
    assert await found.group_rewards([]) == []


def test_the_embedded_problems_are_problems_of_math_and_of_arithmetic():
    for row in builtin.dataset_rows("math", "test")[:50]:
        for name in ("math", "arithmetic"):
            found = group(name, row["question"], row["answer"])
            left, right = (int(each) for each in row["question"][8:-1].split(" + "))
            assert int(found.expected) == left + right


def test_names_are_known_and_a_wrong_one_is_told_the_nearest():
    shipped = {"arithmetic", "math", "gsm8k", "question_answer", "math_retries", "math_tools"}
    assert shipped <= set(environment_names())
    with pytest.raises(
        ValueError, match=r"no environment 'maths'; known are .*did you mean 'math'"
    ):
        get_environment("maths")


def test_an_environment_is_registered_once_under_its_name():
    asking = replace(MATH, name="math_asking", suffix=SUFFIX)
    register_environment(asking)
    register_environment(replace(asking))
    assert get_environment("math_asking") == asking
    with pytest.raises(ValueError, match="there is an environment math already"):
        register_environment(replace(MATH, suffix="!"))
