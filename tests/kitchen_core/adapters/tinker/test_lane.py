"""The order of a session's calls."""

from __future__ import annotations

import asyncio
import errno

import pytest

from kitchen_core.adapters.tinker.lane import Lane, Turn
from kitchen_core.train.ports.errors import InvalidRequest, PortError


async def test_calls_submit_in_order_while_results_are_awaited_together():
    lane, told, all_submitted = Lane(), [], asyncio.Event()
    answers = [asyncio.get_running_loop().create_future() for _ in range(3)]

    def call(index: int):
        async def work(turn: Turn) -> int:
            async with turn:
                await asyncio.sleep(0)
                told.append(f"submitted {index}")
            if index == 2:
                all_submitted.set()
            await answers[index]
            told.append(f"answered {index}")
            return index

        return lane.submit("call", work)

    handles = [call(index) for index in range(3)]
    await all_submitted.wait()
    assert told == ["submitted 0", "submitted 1", "submitted 2"]
    for answer in reversed(answers):
        answer.set_result(None)
    assert await asyncio.gather(*handles) == [0, 1, 2]


async def test_handles_finish_in_order_whichever_answer_comes_first():
    lane, finished = Lane(), []
    slow = asyncio.get_running_loop().create_future()

    async def first(turn: Turn) -> None:
        async with turn:
            pass
        await slow

    async def second(turn: Turn) -> None:
        async with turn:
            pass
        slow.set_result(None)

    handles = [asyncio.ensure_future(lane.submit(w.__name__, w)) for w in (first, second)]
    for handle, name in zip(handles, ("first", "second"), strict=True):
        handle.add_done_callback(lambda _, name=name: finished.append(name))
    await asyncio.gather(*handles)
    assert finished == ["first", "second"]


async def test_a_call_that_fails_before_its_turn_keeps_nobody_waiting_and_is_named():
    lane = Lane()

    async def bad(turn: Turn) -> None:
        raise InvalidRequest("no")

    async def good(turn: Turn) -> str:
        async with turn:
            return "done"

    refused, done = lane.submit("bad call", bad), lane.submit("good call", good)
    assert await done == "done"
    with pytest.raises(InvalidRequest) as error:
        await refused
    assert (error.value.adapter, error.value.asked) == ("tinker", "bad call")


async def test_what_nobody_expected_is_one_of_the_family_and_a_full_disk_stays_what_it_is():
    async def lacks(turn: Turn) -> None:
        raise KeyError("logprobs")

    async def full(turn: Turn) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    lane = Lane()
    with pytest.raises(PortError, match="KeyError: 'logprobs'") as failed:
        await lane.submit("forward", lacks)
    assert failed.value.asked == "forward"
    with pytest.raises(OSError, match="No space left"):
        await lane.submit("save_state", full)


async def test_a_closed_lane_waits_for_what_is_under_way_and_takes_no_more():
    lane = Lane()
    answer = asyncio.get_running_loop().create_future()

    async def work(turn: Turn) -> str:
        async with turn:
            return await answer

    handle = lane.submit("work", work)
    closing = asyncio.ensure_future(lane.close())
    await asyncio.sleep(0)
    with pytest.raises(PortError, match="closed"):
        await lane.submit("late", work)
    assert not closing.done()
    answer.set_result("done")
    await closing
    assert await handle == "done"
