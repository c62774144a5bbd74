"""Windows, held against clocks that are looked at minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_daemon.queueing.states import WindowState
from kitchen_daemon.scheduling.hours import Open, hours, window_states
from kitchen_daemon.scheduling.words import DAYS, BadTime
from tests.kitchen_core.store.support import fresh_store
from tests.kitchen_daemon.scheduling.test_triggers import CHANGES
from tests.kitchen_daemon.scheduling.walls import MINUTE_S, ZONES, Walls

VIENNA = ZoneInfo("Europe/Vienna")


def at(text: str) -> float:
    """A moment by the clock of Vienna, or with an offset of its own."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=VIENNA)).timestamp()


def changes(text: str, begin: str, count: int) -> list[str]:
    """What a window does next, and when."""
    found, moment = [], at(begin)
    for _ in range(count):
        now = hours(text, VIENNA).at(moment)
        assert now.changes_at is not None
        moment = now.changes_at
        does = "closes" if now.is_open else "opens"
        found.append(f"{does} {datetime.fromtimestamp(moment, VIENNA):%a %H:%M %z}")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "22:00-06:00",
            ["opens Tue 22:00 +0100", "closes Wed 06:00 +0100", "opens Wed 22:00 +0100"],
        ),
        (
            "11:00-13:00",
            ["closes Tue 13:00 +0100", "opens Wed 11:00 +0100", "closes Wed 13:00 +0100"],
        ),
        (
            "mon-fri 20:00-07:30",
            ["opens Tue 20:00 +0100", "closes Wed 07:30 +0100", "opens Wed 20:00 +0100"],
        ),
        ("sat,sun 00:00-24:00", ["opens Sat 00:00 +0100", "closes Mon 00:00 +0100"]),
        ("fri 20:00-07:30", ["opens Fri 20:00 +0100", "closes Sat 07:30 +0100"]),
        (
            "mon-fri 22:00-06:00; sat,sun 00:00-24:00",
            ["opens Tue 22:00 +0100", "closes Wed 06:00 +0100"],
        ),
        ("tue 12:00-12:30;tue 12:30-14:00", ["closes Tue 14:00 +0100", "opens Tue 12:00 +0100"]),
    ],
)
def test_a_window_opens_and_closes_when_people_mean_it(text: str, expected: list[str]) -> None:
    assert changes(text, "2026-11-24T12:00", len(expected)) == expected


def test_friday_night_and_the_weekend_are_one_stretch() -> None:
    text = "mon-fri 22:00-06:00; sat,sun 00:00-24:00"
    assert changes(text, "2026-11-27T12:00", 2) == [
        "opens Fri 22:00 +0100",
        "closes Mon 00:00 +0100",
    ]


def test_a_window_that_is_always_open_never_changes() -> None:
    for text in ("00:00-24:00", "12:00-06:00; 06:00-12:00"):
        assert hours(text, VIENNA).at(at("2026-11-24T12:00")) == Open(True, None)


def test_the_hour_that_spring_skips_opens_and_closes_an_hour_later() -> None:
    eve = "2026-03-28T23:00"
    assert changes("02:30-05:00", eve, 2) == ["opens Sun 03:30 +0200", "closes Sun 05:00 +0200"]
    assert changes("22:00-02:30", eve, 2) == ["closes Sun 03:30 +0200", "opens Sun 22:00 +0200"]
    assert changes("02:00-03:00", eve, 1) == ["opens Mon 02:00 +0200"]  # nothing is left of it
    assert changes("22:00-06:00", eve, 1) == ["closes Sun 06:00 +0200"]


def test_in_the_hour_that_autumn_doubles_a_window_opens_or_closes_at_the_first() -> None:
    eve = "2026-10-24T23:00"
    assert changes("22:00-02:30", eve, 2) == ["closes Sun 02:30 +0200", "opens Sun 22:00 +0100"]
    assert changes("02:30-05:00", eve, 2) == ["opens Sun 02:30 +0200", "closes Sun 05:00 +0100"]
    whole = hours("22:00-06:00", VIENNA).at(at(eve))
    assert whole.changes_at == at(eve) + 8 * 3600  # seven by the clock


def test_always_open_but_for_a_change_of_the_clock_is_seen() -> None:
    """03:10 comes before 02:30, which is 03:30, on that one day."""
    almost = hours("02:30-24:00; 00:00-03:10", VIENNA)
    closes = almost.at(at("2026-11-24T12:00")).changes_at
    assert closes == at("2027-03-28T03:10")
    assert closes is not None
    assert almost.at(closes) == Open(False, at("2027-03-28T03:30"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22:00",
        "22:00-",
        "22:00-25:00",
        "24:00-06:00",
        "night 22:00-06:00",
        "mon fri 22:00-06:00",
        "22:00-06:00;",
        "22:00 - 06:00",
    ],
)
def test_a_text_that_tells_no_hours_is_answered_with_examples(text: str) -> None:
    with pytest.raises(BadTime, match="is no window; write it as 22:00-06:00, mon-fri"):
        hours(text, VIENNA)


def test_hours_that_end_where_they_begin_are_refused() -> None:
    with pytest.raises(BadTime, match="a whole day is 00:00-24:00"):
        hours("22:00-22:00", VIENNA)


def test_the_queue_is_told_of_every_window(tmp_path: Path) -> None:
    noon = at("2026-11-24T12:00")
    with fresh_store(tmp_path) as store:
        store.put_window("nights", "22:00-06:00", "Europe/Vienna", "pause")
        store.put_window("ever", "00:00-24:00", "UTC", "finish")
        store.put_window("lost", "22:00-06:00", "Middle/Earth", "finish")
        assert window_states(store, noon) == {
            "nights": WindowState(False, at("2026-11-24T22:00"), "pause"),
            "ever": WindowState(True, None, "finish"),
            "lost": WindowState(False, None, "finish"),
        }


@st.composite
def spans(draw: st.DrawFn) -> tuple[frozenset[int], int, int]:
    """Weekdays, and minutes of the day at which it begins and ends."""
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    begin = draw(st.one_of(st.integers(0, 1439), st.integers(0, 240)))
    end = draw(st.one_of(st.integers(1, 1440), st.integers(1, 240)))
    return days, begin, end if end != begin else end % 1440 + 1


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.lists(spans(), min_size=1, max_size=3),
)
def test_a_window_is_open_when_the_clocks_say_so(
    name: str, day: datetime, wanted: list[tuple[frozenset[int], int, int]]
) -> None:
    zone = ZoneInfo(name)
    text = "; ".join(
        f"{','.join(DAYS[each] for each in sorted(days))} {clock(begin)}-{clock(end)}"
        for days, begin, end in wanted
    )
    first = (day - timedelta(days=4)).replace(tzinfo=ZoneInfo("UTC")).timestamp()
    walls = Walls(zone, first, 8 * 1440)
    watched = [first + (3 * 1440 + minute) * MINUTE_S for minute in range(3 * 1440)]
    expected = list(_watched(walls, wanted, watched))
    window = hours(text, zone)
    moment, last = watched[0], watched[-1]
    while moment <= last:
        now = window.at(moment)
        until = last + MINUTE_S if now.changes_at is None else now.changes_at
        begin = round((moment - watched[0]) / MINUTE_S)
        end = min(round((until - watched[0]) / MINUTE_S), len(watched))
        assert set(expected[begin:end]) == {now.is_open}, (text, moment)
        if end < len(watched):
            assert expected[end] is not now.is_open
        moment = until


def _watched(
    walls: Walls, wanted: list[tuple[frozenset[int], int, int]], watched: list[float]
) -> Iterator[bool]:
    """Whether it is open at each minute: something has opened there, and what closes it has not happened."""
    shown = {time: at for at, times in walls.happens.items() for time in times}
    days = sorted({time.replace(hour=0, minute=0) for time in shown})
    stretches = []
    for day in days:
        for weekdays, begin, end in wanted:
            length = end if end > begin else end + 1440
            opens = shown.get(day + timedelta(minutes=begin))
            closes = shown.get(day + timedelta(minutes=length))
            if day.weekday() in weekdays and opens is not None and closes is not None:
                stretches.append((opens, closes))
    for moment in watched:
        yield any(opens <= moment < closes for opens, closes in stretches)
