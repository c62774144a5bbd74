"""When schedules are due, held against clocks that are looked at minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_daemon.scheduling.triggers import times
from kitchen_daemon.scheduling.words import DAYS, BadTime, Passed
from tests.kitchen_daemon.scheduling.walls import MINUTE_S, ZONES, Walls

VIENNA = ZoneInfo("Europe/Vienna")
TUESDAY_NOON = datetime(2026, 11, 24, 12, tzinfo=VIENNA).timestamp()
CHANGES = [  # days near which a clock of ZONES changes
    datetime(2026, 3, 28),
    datetime(2026, 10, 24),
    datetime(2026, 3, 7),
    datetime(2026, 10, 31),
    datetime(2026, 4, 4),
    datetime(2026, 10, 3),
    datetime(2011, 12, 29),
]


def due(
    when: str, count: int, *, after: float = TUESDAY_NOON, zone: ZoneInfo = VIENNA
) -> list[str]:
    """The first times, as a clock and a calendar there show them."""
    found = islice(times(when, zone, after).following(after), count)
    return [f"{datetime.fromtimestamp(at, zone):%a %d %b %H:%M %z}" for at in found]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("nightly 22:00", ["Tue 24 Nov 22:00 +0100", "Wed 25 Nov 22:00 +0100"]),
        ("Daily 06:30", ["Wed 25 Nov 06:30 +0100", "Thu 26 Nov 06:30 +0100"]),
        ("every day 06:30", ["Wed 25 Nov 06:30 +0100", "Thu 26 Nov 06:30 +0100"]),
        ("nightly 24:00", ["Wed 25 Nov 00:00 +0100", "Thu 26 Nov 00:00 +0100"]),
        ("fri,sat 24:00", ["Sat 28 Nov 00:00 +0100", "Sun 29 Nov 00:00 +0100"]),
        ("thu-fri 22:00", ["Thu 26 Nov 22:00 +0100", "Fri 27 Nov 22:00 +0100"]),
        ("sat,sun 09:30", ["Sat 28 Nov 09:30 +0100", "Sun 29 Nov 09:30 +0100"]),
        ("every fri 20:00", ["Fri 27 Nov 20:00 +0100", "Fri 04 Dec 20:00 +0100"]),
        ("sun-mon 20:00", ["Sun 29 Nov 20:00 +0100", "Mon 30 Nov 20:00 +0100"]),
        ("every 6h", ["Tue 24 Nov 18:00 +0100", "Wed 25 Nov 00:00 +0100"]),
        ("every 1d 12h", ["Thu 26 Nov 00:00 +0100", "Fri 27 Nov 12:00 +0100"]),
        ("22:00", ["Tue 24 Nov 22:00 +0100"]),
        ("fri 20:00", ["Fri 27 Nov 20:00 +0100"]),
        ("in 2h", ["Tue 24 Nov 14:00 +0100"]),
        ("cron 0 22 * * 1-5", ["Tue 24 Nov 22:00 +0100", "Wed 25 Nov 22:00 +0100"]),
        ("cron 0 9 * * 0", ["Sun 29 Nov 09:00 +0100", "Sun 06 Dec 09:00 +0100"]),
        ("cron 0 9 * * 7", ["Sun 29 Nov 09:00 +0100", "Sun 06 Dec 09:00 +0100"]),
        ("cron 0 9 * * 1", ["Mon 30 Nov 09:00 +0100", "Mon 07 Dec 09:00 +0100"]),
        ("cron 0 9 * * 6-7", ["Sat 28 Nov 09:00 +0100", "Sun 29 Nov 09:00 +0100"]),
        ("cron 0 9 * * sat,sun", ["Sat 28 Nov 09:00 +0100", "Sun 29 Nov 09:00 +0100"]),
        ("cron */20 13-14 * * *", ["Tue 24 Nov 13:00 +0100", "Tue 24 Nov 13:20 +0100"]),
        # where a crontab says a day of the month and one of the week, either will do
        ("cron 0 9 25 * 5", ["Wed 25 Nov 09:00 +0100", "Fri 27 Nov 09:00 +0100"]),
        ("cron 0 0 29 2 *", ["Tue 29 Feb 00:00 +0100", "Sun 29 Feb 00:00 +0100"]),
    ],
)
def test_a_schedule_is_due_when_people_mean_it(when: str, expected: list[str]) -> None:
    assert due(when, 2) == expected


def test_what_is_due_once_is_due_once() -> None:
    assert not times("22:00", VIENNA, TUESDAY_NOON).repeats
    assert times("nightly 22:00", VIENNA, TUESDAY_NOON).repeats
    assert due("22:00", 5) == ["Tue 24 Nov 22:00 +0100"]


def test_a_nightly_time_that_the_clock_skips_comes_an_hour_later_once() -> None:
    eve = datetime(2026, 3, 28, 12, tzinfo=VIENNA).timestamp()
    nights = ["Sun 29 Mar 03:30 +0200", "Mon 30 Mar 02:30 +0200"]
    assert due("nightly 02:30", 2, after=eve) == nights
    assert due("cron 30 2,3 * * *", 2, after=eve) == [nights[0], nights[1]]
    jumped = datetime(2026, 3, 29, 3, 10, tzinfo=VIENNA).timestamp()
    assert due("nightly 02:30", 2, after=jumped) == nights


def test_a_nightly_time_that_comes_twice_is_the_first() -> None:
    eve = datetime(2026, 10, 24, 12, tzinfo=VIENNA).timestamp()
    nights = ["Sun 25 Oct 02:30 +0200", "Mon 26 Oct 02:30 +0100"]
    assert due("nightly 02:30", 2, after=eve) == nights
    between = datetime(2026, 10, 25, 2, 10, tzinfo=VIENNA, fold=1).timestamp()
    assert due("nightly 02:30", 1, after=between) == nights[1:]


def test_an_interval_is_real_time_from_when_it_was_made() -> None:
    eve = datetime(2026, 3, 28, 23, 15, 7, 500_000, tzinfo=VIENNA).timestamp()
    every = times("every 90min", VIENNA, eve)
    found = list(islice(every.following(eve), 3))
    assert found == [eve - 0.5 + 5400 * count for count in (1, 2, 3)]
    assert every.after(found[0] - 1) == found[0]
    assert every.after(eve + 1e6) == eve - 0.5 + 5400 * 186


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("hello", "is no time; write it as 22:00, 2026-12-24 22:00"),
        ("", "is no time"),
        ("nightly", "is no time"),
        ("nightly 25:00", "is no time"),
        ("mon-fry 22:00", "is no time"),
        ("every fri", "is no time"),
        ("every 5s", "is too often; a minute is the shortest"),
        ("cron 0 22 * *", "five fields, given 4"),
        ("cron 0 24 * * *", "higher than the maximum"),
        ("cron 0 22 * * 8", "'8' is no day of the week of a crontab"),
        ("cron 0 22 * * 5-1", "is no day of the week"),
        ("cron 0 22 * * 1/0", "is no day of the week"),
        ("cron x 22 * * *", "unrecognized expression"),
        ("cron 0 0 30 2 *", "never comes"),
    ],
)
def test_a_text_that_tells_no_times_is_answered_in_one_line(when: str, message: str) -> None:
    with pytest.raises(BadTime, match=message) as error:
        times(when, VIENNA, TUESDAY_NOON)
    assert "\n" not in str(error.value)


def test_a_moment_that_is_over_is_refused() -> None:
    with pytest.raises(Passed, match="has passed"):
        times("today 06:00", VIENNA, TUESDAY_NOON)


@st.composite
def clocks(draw: st.DrawFn) -> tuple[ZoneInfo, float, Walls]:
    """A zone, a moment near a change of its clock, and what the clock shows for four days."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    day = draw(st.sampled_from(CHANGES))
    begin = (day - timedelta(days=1)).replace(tzinfo=ZoneInfo("UTC")).timestamp()
    return zone, begin, Walls(zone, begin, 4 * 1440)


@settings(max_examples=60, deadline=None)
@given(
    clocks(),
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.sets(st.integers(0, 23), min_size=1, max_size=4),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 2 * 1440),
)
def test_cron_fires_when_the_clock_shows_its_times(
    clock: tuple[ZoneInfo, float, Walls],
    minutes: set[int],
    hours: set[int],
    weekdays: set[int],
    offset: int,
) -> None:
    zone, begin, walls = clock
    fields = [",".join(map(str, sorted(each))) for each in (minutes, hours)]
    names = ",".join(DAYS[day] for day in sorted(weekdays))
    start, end = begin + (1440 + offset) * MINUTE_S, begin + (4 * 1440 - 90) * MINUTE_S
    expected = walls.moments(
        lambda t: t.minute in minutes and t.hour in hours and t.weekday() in weekdays
    )
    made = times(f"cron {fields[0]} {fields[1]} * * {names}", zone, start)
    found = list(takewhile(lambda at: at < end, made.following(start)))
    assert found == [at for at in expected if start < at < end]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["nightly 02:30", "every 7min", "mon,thu 01:15", "cron */5 * * * *"]),
    st.floats(0, 15 * 86400),
)
def test_the_last_time_until_now_is_the_last_of_all_in_order(when: str, later: float) -> None:
    begin = datetime(2026, 3, 20, tzinfo=VIENNA).timestamp()
    made = times(when, VIENNA, begin)
    first = made.after(begin)
    assert first is not None
    now = first + later
    *_, last = takewhile(lambda at: at <= now, made.following(begin))
    assert made.last_until(now, first) == last
