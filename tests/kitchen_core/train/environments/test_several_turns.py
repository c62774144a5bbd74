"""Episodes of several turns: another try, and tools."""

from __future__ import annotations

import pytest

from kitchen_core.train.environments import (
    Tool,
    get_environment,
    length_rewards,
    tool,
    with_group_rewards,
    with_retries,
    with_tools,
)
from kitchen_core.train.environments.math_problems import MATH
from kitchen_core.train.types import Message, ToolCall
from tests.kitchen_core.train.environments.support import (
    GRADER,
    episode,
    example,
    saying,
    trajectory,
)

RIGHT, WRONG = r"\boxed{2}", r"\boxed{3}"


def call(name: str, arguments: str, named: str = "c1") -> ToolCall:
    return ToolCall(name, arguments, named)


async def test_a_wrong_answer_may_be_given_again_for_less():
    env = episode(with_retries(MATH, tries=3, kept=0.5, told="No."))
    assert env.begin().messages == (Message("user", "1 + 1?"),)
    first = await env.step(saying(WRONG))
    assert first.messages == (Message("user", "No."),)
    assert first.rewards == {"correct": 0.0, "format": 0.0}
    second = await env.step(saying(RIGHT))
    assert second.messages == ()
    assert second.rewards == {"correct": 0.5, "format": 0.0}
    assert second.metrics["tries"] == 2.0


@pytest.mark.parametrize(
    ("said", "rewards", "tries"),
    [
        ([RIGHT], [1.0], 1),
        ([WRONG, WRONG, RIGHT], [0, 0, 0.25], 3),
        ([WRONG, WRONG, WRONG], [0, 0, 0], 3),
    ],
)
async def test_an_episode_ends_with_a_right_answer_or_the_last_try(said, rewards, tries):
    env = episode(get_environment("math_retries"))
    outcomes = [await env.step(saying(text)) for text in said]
    assert [each.rewards["correct"] for each in outcomes] == rewards
    assert [bool(each.messages) for each in outcomes] == [True] * (len(said) - 1) + [False]
    assert outcomes[-1].metrics["tries"] == tries


async def test_an_answer_that_was_cut_off_is_the_last():
    outcome = await episode(get_environment("math_retries")).step(saying("3", complete=False))
    assert outcome.messages == ()
    assert outcome.rewards == {"correct": 0.0, "format": -1.0}


async def test_episodes_of_a_group_count_their_own_tries():
    one, other = get_environment("math_retries").group(example("1 + 1?", "2"), GRADER).make(2)
    await one.step(saying(WRONG))
    assert (await other.step(saying(RIGHT))).rewards["correct"] == 1.0


@pytest.mark.parametrize(
    ("settings", "message"), [({"tries": 1}, "tries is 1"), ({"kept": 2}, "kept is 2")]
)
def test_settings_that_make_no_second_try_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        with_retries(MATH, **settings)


async def test_a_called_tool_answers_and_the_answer_that_follows_counts():
    env = episode(get_environment("math_tools"))
    (schema,) = env.begin().tools
    assert schema["function"]["name"] == "calculator"
    told = await env.step(saying("", call("calculator", '{"expression": "1 + 1"}')))
    assert told.messages == (Message("tool", "2", name="calculator", tool_call_id="c1"),)
    assert (told.rewards, told.metrics) == ({}, {"tool_calls": 1.0, "tool_errors": 0.0})
    assert (await env.step(saying(RIGHT))).rewards["correct"] == 1.0


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        (
            "calculater",
            "{}",
            "there is no tool 'calculater'; there is calculator; did you mean 'calculator'?",
        ),
        ("calculator", '{"expression": 7}', "argument expression: Input should be a valid string"),
        ("calculator", '{"formula": "1"}', "argument expression: Missing required argument"),
        ("calculator", "[1]", "the arguments must be a JSON object"),
        ("calculator", "{", "the arguments are no JSON"),
        ("calculator", '{"expression": "1/0"}', "ValueError: division by zero"),
    ],
)
async def test_a_call_that_can_not_be_answered_is_told_so_in_the_tools_place(name, arguments, told):
    outcome = await episode(get_environment("math_tools")).step(saying("", call(name, arguments)))
    (message,) = outcome.messages
    assert (message.role, message.name) == ("tool", name)
    assert message.content.startswith(f"Error: {told}")
    assert outcome.metrics["tool_errors"] == 1.0


async def test_calls_are_limited_and_a_turn_that_calls_without_any_left_is_the_answer():
    env = episode(with_tools(MATH, [tool(double)], max_calls=2))
    three = [call("double", f'{{"number": {n}}}', f"c{n}") for n in (1, 2, 3)]
    outcome = await env.step(saying("", *three))
    assert [each.content for each in outcome.messages] == [
        "2.0",
        "4.0",
        "Error: no call is left; answer now",
    ]
    last = await env.step(saying("", three[0]))
    assert last.messages == ()
    assert last.rewards == {"correct": 0.0, "format": -1.0}


async def test_a_malformed_turn_is_the_answer_whatever_it_calls():
    outcome = await episode(get_environment("math_tools")).step(
        saying("", call("calculator", '{"expression": "1"}'), complete=False)
    )
    assert outcome.messages == ()


async def test_tools_and_tries_go_together():
    env = episode(with_retries(get_environment("math_tools"), tries=2))
    assert (await env.step(saying("", call("calculator", '{"expression": "1+1"}')))).messages
    assert (await env.step(saying(WRONG))).messages == (
        Message("user", "That is not right. Try again."),
    )
    assert (await env.step(saying(RIGHT))).rewards["correct"] == 0.5


def double(number: float, times: int = 1) -> float:
    """Double a number, several times."""
    return number * 2**times


async def search(query: str) -> list[str]:
    """Search for a query."""
    return [query, "é"]


def long(count: int) -> str:
    """Say a long text."""
    return "x" * count


def test_the_schema_is_that_of_the_signature():
    assert tool(double).schema == {
        "type": "function",
        "function": {
            "name": "double",
            "description": "Double a number, several times.",
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "number": {"type": "number"},
                    "times": {"type": "integer", "default": 1},
                },
                "required": ["number"],
            },
        },
    }


@pytest.mark.parametrize(
    ("made", "arguments", "said"),
    [
        (tool(double), '{"number": 1.5}', "3.0"),
        (tool(double, name="twice"), '{"number": "2", "times": 2}', "8.0"),
        (tool(search), '{"query": "a"}', '["a", "\\u00e9"]'),
        (tool(long), '{"count": 5000}', "x" * 4000 + "… (cut)"),
    ],
)
async def test_a_tool_answers_in_text(made: Tool, arguments, said):
    assert await made.answer(call(made.name, arguments)) == said


def without_a_word(x: int) -> int:
    return x


def of_any(*numbers: int) -> int:
    """Add numbers."""
    return sum(numbers)


@pytest.mark.parametrize(
    ("function", "message"),
    [(without_a_word, "no docstring"), (of_any, "can't be given by name")],
)
def test_a_function_that_can_be_no_tool_is_refused(function, message):
    with pytest.raises(ValueError, match=message):
        tool(function)


@pytest.mark.parametrize(
    ("tools", "settings", "message"),
    [
        ([], {}, "the tools are none"),
        ([tool(double), tool(double)], {}, "double, double"),
        ([tool(double)], {"max_calls": 0}, "max_calls is 0"),
    ],
)
def test_tools_that_can_not_be_told_apart_or_called_are_refused(tools, settings, message):
    with pytest.raises(ValueError, match=message):
        with_tools(MATH, tools, **settings)


def test_shorter_right_answers_are_worth_more_and_wrong_ones_gain_nothing():
    """Worked by hand: lengths 2, 4, 6 give 0.5, 0, -0.5; a wrong one has no more than 0."""
    right, wrong = {"correct": 1.0}, {"correct": 0.0}
    group = [
        trajectory(right, tokens=2),
        trajectory(right, tokens=4),
        trajectory(wrong, tokens=6),
        trajectory(wrong, tokens=2),
    ]
    assert [each["length"] for each in length_rewards(group)] == [0.5, 0.0, -0.5, 0.0]
    assert length_rewards(group[:1]) == [{"length": 0.0}]
    assert length_rewards([]) == []


async def test_group_rewards_join_the_environments_own_with_their_weight():
    short = with_group_rewards(MATH, length_rewards, {"length": 0.1}, name="short_math")
    shorter = with_group_rewards(
        short,
        lambda group: [{"place": float(i)} for i, _ in enumerate(group)],
        {"place": 2.0},
        name="placed",
    )
    found = shorter.group(example("1 + 1?", "2"), GRADER)
    assert found.tags == ("placed",)
    assert found.reward_weights == {"correct": 1.0, "format": 0.1, "length": 0.1, "place": 2.0}
    group = [trajectory({"correct": 1.0}, tokens=1), trajectory({"correct": 1.0}, tokens=3)]
    assert await found.group_rewards(group) == [
        {"length": 0.5, "place": 0.0},
        {"length": -0.5, "place": 1.0},
    ]
