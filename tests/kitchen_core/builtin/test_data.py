"""The embedded data sets: what is in them, and that the splits keep apart."""

import subprocess
import sys
from collections import Counter

import pytest

from kitchen_core.builtin import DATASETS, dataset_rows
from kitchen_core.builtin.arithmetic import UNBOXED_SHARE, WRONG_SHARE
from kitchen_core.builtin.problems import Problem, held_out, steps, sums


def asked(row: dict) -> str:
    """The first question of a row of any of the data sets."""
    if "question" in row:
        return row["question"]
    return (row.get("prompt") or row["messages"])[0]["content"]


def operands(question: str) -> tuple[int, int]:
    left, right = question.removeprefix("What is ").removesuffix("?").split(" + ")
    return int(left), int(right)


def right_answer(question: str) -> str:
    return f"\\boxed{{{sum(operands(question))}}}"


@pytest.mark.parametrize("name", DATASETS)
def test_no_problem_is_in_both_splits_whatever_the_seeds_or_the_order(name):
    train = {frozenset(operands(asked(row))) for row in dataset_rows(name, "train", seed=1)}
    test = {frozenset(operands(asked(row))) for row in dataset_rows(name, "test", seed=2)}
    assert len(train) > 1000
    assert len(test) > 100
    assert not train & test


def test_the_splits_cover_every_sum():
    assert len(sums("train")) + len(sums("test")) == 51 * 51
    assert 0.17 < len(sums("test")) / 51**2 < 0.23


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", DATASETS)
def test_rows_depend_on_the_seed_alone(name, split):
    rows = dataset_rows(name, split, seed=3)
    assert rows == dataset_rows(f"builtin:{name}", split, seed=3)
    assert rows != dataset_rows(name, split, seed=4)


def test_rows_are_the_callers_own():
    dataset_rows("chat", "test")[0]["messages"].clear()
    assert dataset_rows("chat", "test")[0]["messages"]


def test_arithmetic_is_as_sloppy_as_documented():
    answers = Counter()
    rows = dataset_rows("arithmetic", "train")
    for row in rows:
        question, answer = (m["content"] for m in row["messages"])
        number = int(answer.removeprefix("\\boxed{").removesuffix("}"))
        answers["unboxed"] += not answer.startswith("\\boxed{")
        off = abs(number - sum(operands(question)))
        assert off in (0, 1, 10)
        assert number >= 0
        answers["wrong"] += off > 0
    assert answers["unboxed"] / len(rows) == pytest.approx(UNBOXED_SHARE, abs=0.02)
    assert answers["wrong"] / len(rows) == pytest.approx(WRONG_SHARE, abs=0.02)


@pytest.mark.parametrize("name", ["arithmetic", "prompts"])
def test_held_out_chat_rows_end_with_the_right_answer(name):
    for row in dataset_rows(name, "test"):
        assert [m["role"] for m in row["messages"]] == ["user", "assistant"]
        assert row["messages"][1]["content"] == right_answer(asked(row))


def test_training_prompts_have_no_answer():
    assert {len(row["messages"]) for row in dataset_rows("prompts", "train")} == {1}


@pytest.mark.parametrize("split", ["train", "test"])
def test_math_answers_are_right(split):
    for row in dataset_rows("math", split):
        assert row["answer"] == right_answer(row["question"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_of_two_preferred_answers_only_the_chosen_is_right_and_boxed(split):
    rows = dataset_rows("preferences", split)
    for row in rows:
        assert row["chosen"][0]["content"] == right_answer(asked(row))
        assert row["rejected"][0]["content"] != right_answer(asked(row))
    unboxed = sum("boxed" not in row["rejected"][0]["content"] for row in rows)
    assert unboxed / len(rows) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("split", ["train", "test"])
def test_follow_ups_build_on_the_first_answer_and_keep_to_their_split(split):
    for row in dataset_rows("chat", split):
        question, first, follow_up, final = (m["content"] for m in row["messages"])
        assert first == right_answer(question)
        _, by, direction = follow_up.removesuffix("?").split()
        operator = {"more": "+", "less": "-"}[direction]
        then = Problem(sum(operands(question)), operator, int(by))
        assert final == f"\\boxed{{{then.result}}}"
        assert held_out(then) == (split == "test")


def test_every_training_sum_has_a_follow_up():
    assert all(steps(problem.result, "train") for problem in sums("train"))


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("arithmetics", "train", r"'arithmetics'.*builtin:chat.*did you mean builtin:arithmetic\?"),
        ("builtin:nothing", "train", "'builtin:nothing'.*builtin:math"),
        ("math", "validation", "train and test, not 'validation'"),
    ],
)
def test_what_does_not_exist_is_named(name, split, message):
    with pytest.raises(ValueError, match=message):
        dataset_rows(name, split)


def test_importing_and_using_the_data_needs_neither_torch_nor_transformers():
    code = (
        "import sys; from kitchen_core.builtin import DATASETS, dataset_rows, verify_model\n"
        "[dataset_rows(n, 'test') for n in DATASETS]; verify_model('tiny')\n"
        "sys.exit(bool({'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
