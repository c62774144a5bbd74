"""What every python bridge does."""

from __future__ import annotations

import asyncio

import pytest

from kitchen_core.adapters.memory.bridge import MemoryBridge
from kitchen_core.adapters.python_bridge.bridge import ProcessBridge
from kitchen_core.adapters.python_bridge.functions import wired
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Timeout, Unavailable
from kitchen_core.train.ports.python_bridge import PythonBridge
from tests.contracts import bridge_functions

NAMES = ("add", "echo", "hang", "eat", "die", "refuse", "unspeakable")
PLACES = {name: f"tests.contracts.bridge_functions:{name}" for name in NAMES}


def failing(error: Exception):
    def fail(*arguments: object) -> None:
        raise error

    return fail


def over_processes() -> ProcessBridge:
    limits = Limits(workers=1, timeout_s=0.4, memory_mb=256)
    return ProcessBridge(PLACES, limits)


def in_memory() -> MemoryBridge:
    functions = {name: getattr(bridge_functions, name) for name in NAMES}
    context = {"port": "python_bridge", "hint": "ask for less"}
    functions["hang"] = failing(Timeout("no result", asked="hang", **context))
    functions["eat"] = failing(Unavailable("out of memory", asked="eat", **context))
    functions["die"] = failing(Unavailable("its process ended", asked="die", **context))
    return MemoryBridge(functions)


@pytest.fixture(scope="module", params=[over_processes, in_memory], ids=["python_bridge", "memory"])
def bridge(request: pytest.FixtureRequest):
    made: PythonBridge = request.param()
    yield made
    asyncio.run(made.close())


async def test_a_call_returns_what_the_function_does(bridge):
    assert await bridge.call("add", 2, 3) == 5


@pytest.mark.parametrize("value", [None, True, 1.5, "é\n\x00", [1, ["x"]], {"a": {"b": [None]}}])
async def test_values_that_are_json_go_there_and_back(bridge, value):
    assert await bridge.call("echo", value) == value


async def test_many_calls_give_their_results_in_order(bridge):
    assert await bridge.map("add", [(i, i) for i in range(50)]) == [2 * i for i in range(50)]
    assert await bridge.map("add", []) == []


async def test_a_name_that_is_not_wired_is_refused_naming_what_is(bridge):
    with pytest.raises(NotFound, match=r"'ad'.*add.*did you mean 'add'") as refused:
        await bridge.call("ad", 1, 2)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        ("hang", (), Timeout),
        ("eat", (4096,), Unavailable),
        ("die", (), Unavailable),
        ("refuse", ("no such thing",), InvalidRequest),
        ("unspeakable", (), InvalidRequest),
        ("add", (1,), InvalidRequest),
        ("echo", ({1, 2},), InvalidRequest),
    ],
)
async def test_a_call_that_fails_says_how_and_the_next_one_works(
    bridge, function, arguments, error
):
    with pytest.raises(error) as failed:
        await bridge.call(function, *arguments)
    assert type(failed.value) is error
    assert (failed.value.port, failed.value.asked) == ("python_bridge", function)
    assert failed.value.hint
    assert await bridge.call("add", 2, 3) == 5


async def test_what_the_function_raised_is_told(bridge):
    with pytest.raises(InvalidRequest, match="ValueError: no such thing"):
        await bridge.call("refuse", "no such thing")


async def test_among_many_calls_each_failure_stands_in_its_place(bridge):
    results = await bridge.map("add", [(1, 2), (1,), (3, 4)])
    assert [results[0], results[2]] == [3, 7]
    assert type(results[1]) is InvalidRequest


async def test_closing_twice_does_no_harm(bridge):
    await bridge.close()
    await bridge.close()
    assert await bridge.call("add", 2, 3) == 5


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [("72", "72.0", "right"), ("72", "73", "wrong"), (r"\frac{1}{2}", "0.5", "right")],
)
@pytest.mark.parametrize("libraries", [True, False], ids=["python_bridge", "memory"])
async def test_answers_are_verified_gold_first(gold, answer, verdict, libraries):
    bridge = ProcessBridge(wired(["math_verify"], {}), Limits(1)) if libraries else MemoryBridge()
    assert await bridge.call("math_verify.verify", gold, answer) == verdict
    await bridge.close()
