"""A download that takes long says how far it is."""

from __future__ import annotations

import asyncio
import logging
from threading import Event

import pytest

from kitchen_core.adapters.hugging_face import progress
from kitchen_core.adapters.hugging_face.progress import Progress, Stopped, duration, of, size
from kitchen_core.train.ports.notices import Notice
from tests.kitchen_core.adapters.hugging_face.conftest import COMMIT


class Clock:
    """A clock that stands still between the turns of its hands."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_at_most_every_ten_seconds_with_rate_and_time_left():
    clock, told = Clock(), []
    counting = Progress("fetching org/m", 4_900_000_000, told.append, Event(), clock)
    counting.add(100_000_000)
    clock.now += 9.9
    counting.add(100_000_000)
    assert not told
    clock.now += 0.1
    counting.add(1_000_000_000)
    counting.add(0)
    # 1.2 GB in 10 s are 120 MB/s; 3.7 GB are left, which takes 30.8 s
    assert told == ["fetching org/m: 1.2 of 4.9 GB, 120.0 MB/s, 31 s left"]
    clock.now += 10
    counting.add(0)
    assert told[1] == "fetching org/m: 1.2 of 4.9 GB, 60.0 MB/s, 62 s left"


def test_a_download_that_stands_still_names_no_time():
    clock, told = Clock(), []
    counting = Progress("fetching org/m", 2_000_000, told.append, Event(), clock)
    clock.now += 10
    counting.add(0)
    assert told == ["fetching org/m: 0.0 of 2.0 MB, 0 kB/s"]


def test_sizes_and_times_are_for_people():
    assert [size(n) for n in (999, 12_345, 1_500_000, 4_900_000_000)] == [
        "1 kB",
        "12 kB",
        "1.5 MB",
        "4.9 GB",
    ]
    assert of(1_200_000_000, 4_900_000_000) == "1.2 of 4.9 GB"
    assert [duration(s) for s in (31, 180, 5999, 7300)] == [
        "31 s",
        "3 min",
        "1 h 40 min",
        "2 h 2 min",
    ]


async def test_it_is_told_to_whoever_listens_and_to_the_log(connect, monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    caplog.set_level(logging.INFO)
    told: list[Notice] = []
    await connect(notify=told.append).fetch_model("org/open")
    assert {(each.kind, each.port, each.adapter, each.asked) for each in told} == {
        ("waiting", "model_hub", "hugging_face", "fetch org/open")
    }
    assert told[-1].message.startswith("fetching org/open: 0.1 of 0.1 kB, ")
    assert told[-1].message in caplog.text


async def test_a_download_that_nobody_waits_for_stops(connect, double, served, kept, monkeypatch):
    (served / "model.safetensors").write_bytes(b"w" * 50_000_000)
    came = asyncio.Event()
    loop = asyncio.get_running_loop()
    counted = Progress.add

    def add(self: Progress, count: int) -> None:
        loop.call_soon_threadsafe(came.set)
        counted(self, count)

    monkeypatch.setattr(Progress, "add", add)
    task = asyncio.create_task(connect().fetch_model("org/open"))
    await came.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    model = await connect().fetch_model("org/open")  # waits for the lock, so the first has ended
    assert (model.folder / "model.safetensors").stat().st_size == 50_000_000
    assert model.commit == COMMIT


def test_a_stopped_download_takes_no_more_bytes():
    stop = Event()
    counting = Progress("fetching org/m", 10, lambda line: None, stop)
    stop.set()
    with pytest.raises(Stopped):
        counting.add(1)
