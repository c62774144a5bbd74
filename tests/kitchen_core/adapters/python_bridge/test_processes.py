"""Processes of the bridge come late, can be killed at any time, and leave with whoever started them."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest
from pebble import ProcessPool

from kitchen_core.adapters.python_bridge.bridge import ProcessBridge
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.train.ports.errors import NotFound, Timeout, Unavailable
from tests.contracts.test_python_bridge import PLACES
from tests.kitchen_core.adapters.python_bridge.support import all_gone, bridge_with, workers

OWNER = """
import asyncio, sys
from tests.kitchen_core.adapters.python_bridge.support import bridge_with, workers
import psutil

async def main():
    async with bridge_with(workers=2, timeout_s=60) as bridge:
        await bridge.call("add", 1, 2)
        hung = asyncio.create_task(bridge.call("hang"))
        await bridge.call("add", 1, 2)
        print(*(each.pid for each in psutil.Process().children(recursive=True)), flush=True)
        {then}

if __name__ == "__main__":
    asyncio.run(main())
"""


def start_owner(tmp_path, then: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A process with a bridge, one of whose workers is busy for minutes, and all its descendants."""
    script = tmp_path / "owner.py"
    script.write_text(OWNER.format(then=then))
    owner = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert owner.stdout
    started = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(started) >= 4  # two workers, the fork server, the resource tracker
    return owner, started


async def test_processes_start_with_the_first_call_and_end_with_closing():
    async with bridge_with(workers=2) as bridge:
        assert workers() == []
        await bridge.call("add", 1, 2)
        started = workers()
        assert len(started) == 2
    assert all_gone(started)


async def test_a_dropped_bridge_leaves_no_process():
    bridge = ProcessBridge(PLACES, Limits(workers=1))
    await bridge.call("add", 1, 2)
    started = workers()
    del bridge
    gc.collect()
    assert started
    assert all_gone(started)


def test_a_killed_owner_leaves_no_process_even_a_busy_one(tmp_path):
    owner, started = start_owner(tmp_path, "await hung")
    owner.kill()
    owner.wait(10)
    assert all_gone(started)


def test_an_owner_that_ends_without_closing_ends_at_once_and_leaves_no_process(tmp_path):
    owner, started = start_owner(tmp_path, "raise SystemExit(7)")
    assert owner.wait(10) == 7
    assert all_gone(started)


async def test_closing_ends_the_calls_that_wait():
    async with bridge_with() as bridge:
        await bridge.call("add", 1, 2)
        calls = asyncio.create_task(bridge.map("hang", [(), ()]))
        await asyncio.sleep(0)
        await bridge.close()
        results = await calls
    assert [type(each) for each in results] == [Unavailable, Unavailable]


async def test_closing_ends_them_also_where_the_pool_breaks_as_it_is_stopped(monkeypatch):
    def broken(pool: ProcessPool) -> None:  # as its own thread does where it meets a closed channel
        pool._pool_manager.handle_broken_pool(BrokenProcessPool("its channel is closed"))
        stop(pool)

    stop = ProcessPool.stop
    monkeypatch.setattr(ProcessPool, "stop", broken)
    async with bridge_with() as bridge:
        await bridge.call("add", 1, 2)
        calls = asyncio.create_task(bridge.map("hang", [(), ()]))
        await asyncio.sleep(0)
        await bridge.close()
        results = await calls
        assert workers() == []
    assert [type(each) for each in results] == [Unavailable, Unavailable]


async def test_a_cancelled_call_is_killed_and_the_next_one_works():
    async with bridge_with(timeout_s=60) as bridge:
        await bridge.call("add", 1, 2)
        (busy,) = workers()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bridge.call("hang"), 0.3)
        assert await bridge.call("add", 1, 2) == 3
    assert all_gone([busy])


async def test_the_call_after_an_idle_process_was_killed_works():
    async with bridge_with() as bridge:
        await bridge.call("add", 1, 2)
        (idle,) = workers()
        idle.send_signal(signal.SIGKILL)
        assert await bridge.call("add", 1, 2) == 3


async def test_a_call_has_its_own_limit_and_waiting_does_not_count():
    async with bridge_with(timeout_s=0.4) as bridge:
        await bridge.call("add", 1, 2)
        began = time.monotonic()
        results = await bridge.map("hang", [(), (), ()])
        took = time.monotonic() - began
    assert [type(each) for each in results] == [Timeout] * 3
    assert took >= 1.2


async def test_time_is_measured_in_computing_and_ten_times_as_much_by_the_clock():
    async with bridge_with(timeout_s=0.1) as bridge:
        with pytest.raises(Timeout, match=r"no result after 0\.1 s of computing"):
            await bridge.call("hang")
        with pytest.raises(Timeout, match=r"no result after 1 s by the clock"):
            await bridge.call("wait")
        assert await bridge.call("add", 1, 2) == 3


async def test_memory_is_bounded_beyond_what_the_process_has():
    async with bridge_with(memory_mb=64) as bridge:
        assert await bridge.call("eat", 32) == 32 << 20
        (process,) = workers()
        most, _ = process.rlimit(resource.RLIMIT_AS)
        assert most - process.memory_info().vms <= 64 << 20
        with pytest.raises(Unavailable, match="more than 64 MB"):
            await bridge.call("eat", 80)
    assert all_gone([process])


async def test_a_process_is_replaced_after_its_calls():
    async with bridge_with(calls_per_worker=2) as bridge:
        await bridge.call("add", 1, 2)
        (first,) = workers()
        assert await bridge.map("add", [(i, 1) for i in range(5)]) == [1, 2, 3, 4, 5]
    assert all_gone([first])


async def test_a_function_that_can_not_be_imported_is_named_and_others_work():
    places = {"gone": "no_such_package:function", "add": PLACES["add"]}
    bridge = ProcessBridge(places, Limits(workers=1))
    with pytest.raises(NotFound, match=r"no_such_package:function can't be imported"):
        await bridge.call("gone")
    assert await bridge.call("add", 1, 2) == 3
    await bridge.close()


async def test_nothing_of_the_run_is_in_a_process():
    places = {"modules": f"{__name__}:modules"}
    bridge = ProcessBridge(places, Limits(workers=1))
    assert await bridge.call("modules", ["torch", "transformers", "kitchen_core.store"]) == []
    await bridge.close()


def modules(names: list[str]) -> list[str]:
    """Those of the modules that this process has imported."""
    return [name for name in names if name in sys.modules]


def test_keys_do_not_come_into_the_processes():
    """In an interpreter of its own, whose fork server begins with the keys in its environment."""
    said = subprocess.run(
        [sys.executable, "-c", _ASKS_FOR_A_KEY],
        env={**os.environ, "HF_TOKEN": "planted", "HARMLESS": "stays"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[None, 'stays']\n"


_ASKS_FOR_A_KEY = """
import asyncio
from kitchen_core.adapters.python_bridge import adapter

async def main():
    bridge = adapter.ports["python_bridge"](functions={"getenv": "os:getenv"}, timeout_s=20)
    print(await bridge.map("getenv", [["HF_TOKEN"], ["HARMLESS"]]))
    await bridge.close()

asyncio.run(main())
"""
