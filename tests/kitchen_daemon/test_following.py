"""Followers of one store: each is told everything once, however it came and however slow it is."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator

import pytest

from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import EventKind, NewEvent
from kitchen_daemon import following, streams
from kitchen_daemon.following import ChangeFeed
from kitchen_daemon.streams import Cursor


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
async def feed(store, monkeypatch):
    monkeypatch.setattr(following, "POLL_SECONDS", 0.001)
    feed = ChangeFeed(store)
    watching = asyncio.create_task(feed.watch())
    yield feed
    watching.cancel()


@pytest.fixture
def writer(store):
    return begun(store)


def begun(store):
    run = store.create_run(NewRun(name="r", recipe="r", workflow="w"))
    return RunWriter(store, run.id, store.begin_attempt(run.id, 1, 0.0, "", ""))


def log(number):
    return NewEvent(kind=EventKind.LOG, at=time.time(), metadata={"number": number})


async def told(stream: AsyncIterator[bytes], until: int) -> tuple[list[int], Cursor]:
    """The numbers of the logged events up to one, and the cursor after it."""
    text = ""
    async for data in stream:
        text += data.decode()
        if f'{{"number":{until}}}' in text:
            break
    last = re.findall(r"^id: (\S+)$", text, re.MULTILINE)[-1]
    return [int(number) for number in re.findall(r'"number":(\d+)', text)], Cursor.parse(last)


async def test_all_followers_are_told_everything_once_and_in_order(store, feed, writer):
    other = begun(store)
    followers = [
        asyncio.create_task(told(feed.follow(run, Cursor()), until=99))
        for run in (None, None, writer.run_id, writer.run_id)
    ]
    for number in range(100):
        writer.append([log(number)])
        writer.write_metrics([MetricRow("loss", number, 0.5)])
        if number != 99:
            other.append([log(1000 + number)])
        await asyncio.sleep(0)
    alone = list(range(100))
    for follower, run in zip(followers, (None, None, 1, 1), strict=True):
        numbers, _ = await follower
        assert [n for n in numbers if n < 1000] == alone
        assert [n - 1000 for n in numbers if n >= 1000] == ([] if run else alone[:-1])


async def test_who_comes_later_or_comes_back_misses_nothing(feed, writer):
    early = feed.follow(writer.run_id, Cursor())
    writer.append([log(number) for number in range(5)])
    assert (await told(early, until=4))[0] == [0, 1, 2, 3, 4]
    _, cursor = await told(feed.follow(writer.run_id, Cursor()), until=4)
    writer.append([log(number) for number in range(5, 9)])
    late, _ = await told(feed.follow(writer.run_id, Cursor()), until=8)
    again, _ = await told(feed.follow(writer.run_id, cursor), until=8)
    assert (late, again) == (list(range(9)), [5, 6, 7, 8])
    assert (await told(early, until=8))[0] == [5, 6, 7, 8]


async def test_a_follower_that_falls_behind_catches_up(feed, writer, monkeypatch):
    monkeypatch.setattr(following, "MOST_WAITING", 2)
    writer.append([log(0)])
    slow, quick = (feed.follow(writer.run_id, Cursor()) for _ in range(2))
    assert (await told(slow, until=0))[0] == [0]
    for number in range(1, 10):  # each a chunk of its own, for the quick one waits for it
        writer.append([log(number)])
        await told(quick, until=number)
    assert (await told(slow, until=9))[0] == list(range(1, 10))


async def test_a_quiet_stream_says_that_it_is_alive(feed, writer, monkeypatch):
    monkeypatch.setattr(following, "PING_SECONDS", 0.01)
    stream = feed.follow(writer.run_id, Cursor())
    writer.append([log(0)])
    await told(stream, until=0)
    assert await anext(stream) == b": ping\n\n"


async def test_a_store_that_could_not_be_read_is_read_again(feed, writer, monkeypatch):
    monkeypatch.setattr(following, "PING_SECONDS", 0.01)
    writer.append([log(0)])
    stream = feed.follow(writer.run_id, Cursor())
    await told(stream, until=0)
    read = following.read_chunk

    def fail(*_):
        monkeypatch.setattr(following, "read_chunk", read)
        raise OSError("the disk is on holiday")

    monkeypatch.setattr(following, "read_chunk", fail)
    writer.append([log(1)])
    assert (await told(stream, until=1))[0] == [1]


async def test_nothing_is_read_for_those_who_have_gone(feed, writer):
    stream = feed.follow(writer.run_id, Cursor())
    writer.append([log(0)])
    await told(stream, until=0)
    (tail,) = feed._tails.values()
    await stream.aclose()
    assert not feed._tails
    with pytest.raises(asyncio.CancelledError):
        await tail._task


async def test_who_knows_more_than_the_others_have_been_told_is_told_nothing_twice(store, writer):
    """Its cursor comes from elsewhere, and the tail that it joins has not looked yet."""
    feed = ChangeFeed(store)  # which is not told of commits at first
    writer.append([log(0)])
    first = feed.follow(writer.run_id, Cursor())
    await told(first, until=0)
    await asyncio.wait_for(_has_looked(feed), 10)
    writer.append([log(1)])
    second = asyncio.create_task(told(feed.follow(writer.run_id, Cursor.now(store)), until=2))
    third = asyncio.create_task(told(first, until=2))
    await asyncio.sleep(0)
    watching = asyncio.create_task(feed.watch())
    await asyncio.sleep(0)
    writer.append([log(2)])
    assert (await second)[0] == [2]
    assert (await third)[0] == [1, 2]
    watching.cancel()


async def _has_looked(feed: ChangeFeed) -> None:
    """Return when the only tail has read what there was, and waits for commits."""
    (tail,) = feed._tails.values()
    change = feed.next_change()
    while not change._waiters:  # noqa: ASYNC110 - nothing else says so
        await asyncio.sleep(0)
    assert not tail.is_over


@pytest.mark.parametrize("seed", range(12))
async def test_whoever_comes_goes_and_dawdles_is_told_everything_once_and_in_order(
    store, feed, monkeypatch, seed
):
    """Followers of two runs and of everything drop off and come back with their last cursor, here or there."""
    monkeypatch.setattr(following, "MOST_WAITING", 2)
    monkeypatch.setattr(streams, "MOST_EVENTS", 3)
    monkeypatch.setattr(streams, "MOST_POINTS", 4)
    choice = random.Random(seed)
    writers = [begun(store), begun(store)]
    last = 60

    async def follow(run_id: str | None, pace: random.Random) -> list[int]:
        numbers, cursor = [], Cursor()
        while numbers[-1:] != [last]:
            stream = feed.follow(run_id, cursor)
            for _ in range(pace.randint(1, 6)):
                data = (await anext(stream)).decode()
                numbers += map(int, re.findall(r'"number":(\d+)', data))
                cursor = Cursor.parse(re.findall(r"^id: (\S+)$", data, re.MULTILINE)[-1])
                if numbers[-1:] == [last]:
                    break
                if pace.random() < 0.3:
                    await asyncio.sleep(0.002)
            await stream.aclose()
        return numbers

    def paced() -> random.Random:
        return random.Random(choice.random())

    followed = [None, None, None, writers[0].run_id, writers[0].run_id, writers[1].run_id]
    followers = [asyncio.create_task(follow(run, paced())) for run in followed]
    wrote: dict[str | None, list[int]] = {None: [], **{each.run_id: [] for each in writers}}
    for number in range(last + 1):
        some = writers if number == last else [choice.choice(writers)]
        for writer in some:
            writer.append([log(number)])
            writer.write_metrics([MetricRow("loss", number, 0.5)])
            wrote[writer.run_id].append(number)
            wrote[None].append(number)
        if choice.random() < 0.5:
            await asyncio.sleep(0)
    for follower, run in zip(followers, followed, strict=True):
        numbers = await asyncio.wait_for(follower, 30)
        assert numbers[: len(wrote[run])] == wrote[run][: len(numbers)]
        assert len(numbers) >= len(wrote[run]) - (run is None)
