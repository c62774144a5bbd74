"""Moments: what people write, and when that is. The expected times were worked out from the zones' published
rules.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kitchen_daemon.scheduling.moments import moment
from kitchen_daemon.scheduling.words import BadTime
from kitchen_daemon.scheduling.zones import machine_zone, zone_named

VIENNA = ZoneInfo("Europe/Vienna")


def at(text: str) -> float:
    """Seconds since the epoch of an ISO text with an offset."""
    return datetime.fromisoformat(text).timestamp()


TUESDAY_NOON = at("2026-11-24T12:00:00+01:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:00", "2026-11-24T22:00:00+01:00"),
        ("9:30", "2026-11-25T09:30:00+01:00"),
        ("12:00", "2026-11-25T12:00:00+01:00"),  # this one is not to come
        ("24:00", "2026-11-25T00:00:00+01:00"),
        ("today 22:00", "2026-11-24T22:00:00+01:00"),
        ("Tomorrow  06:30", "2026-11-25T06:30:00+01:00"),
        ("fri 20:00", "2026-11-27T20:00:00+01:00"),
        ("tuesday 20:00", "2026-11-24T20:00:00+01:00"),
        ("tue 06:00", "2026-12-01T06:00:00+01:00"),
        ("2026-12-24 22:00", "2026-12-24T22:00:00+01:00"),
        ("2026-12-24T22:00", "2026-12-24T22:00:00+01:00"),
        ("2026-12-24T22:00:30Z", "2026-12-24T22:00:30+00:00"),
        ("2026-12-24 22:00 +09:00", "2026-12-24T22:00:00+09:00"),
        ("2026-12-24 22:00-05:00", "2026-12-24T22:00:00-05:00"),
        ("in 2h", "2026-11-24T14:00:00+01:00"),
        ("in 1d 6h", "2026-11-25T18:00:00+01:00"),
        ("in 90min", "2026-11-24T13:30:00+01:00"),
        ("in 1.5 hours", "2026-11-24T13:30:00+01:00"),
        ("in 2w", "2026-12-08T12:00:00+01:00"),
    ],
)
def test_a_moment_is_what_people_mean_by_it(text: str, expected: str) -> None:
    assert moment(text, TUESDAY_NOON, VIENNA) == at(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25:00",
        "22:60",
        "24:01",
        "22",
        "in",
        "in 2",
        "in 0h",
        "in 2 lightyears",
        "in 99999d",
        "in 2h or so",
        "someday 22:00",
        "2027-02-30 22:00",
        "2027-13-01",
    ],
)
def test_a_text_that_is_no_moment_is_answered_with_examples_in_one_line(text: str) -> None:
    with pytest.raises(BadTime, match=r"is no time; write it as 22:00, tomorrow 06:30") as error:
        moment(text, TUESDAY_NOON, VIENNA)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today 06:00", "Tue 2026-11-24 06:00"),
        ("2026-11-23 22:00", "Mon 2026-11-23 22:00"),
        ("2026-11-24T12:00+01:00", "Tue 2026-11-24 12:00"),
    ],
)
def test_a_moment_that_has_passed_is_refused_and_told(text: str, meant: str) -> None:
    with pytest.raises(BadTime) as error:
        moment(text, TUESDAY_NOON, VIENNA)
    assert str(error.value) == (
        f"'{text}' is {meant} and has passed; it is Tue 2026-11-24 12:00 in Europe/Vienna"
    )


def test_a_time_that_clocks_skip_is_an_hour_later() -> None:
    eve = at("2026-03-28T20:00:00+01:00")
    assert moment("02:30", eve, VIENNA) == at("2026-03-29T03:30:00+02:00")
    assert moment("tomorrow 02:30", eve, VIENNA) == at("2026-03-29T03:30:00+02:00")


def test_a_time_that_comes_twice_is_the_first() -> None:
    eve = at("2026-10-24T20:00:00+02:00")
    assert moment("02:30", eve, VIENNA) == at("2026-10-25T02:30:00+02:00")
    between = at("2026-10-25T02:40:00+02:00")
    assert moment("02:30", between, VIENNA) == at("2026-10-26T02:30:00+01:00")


def test_a_day_from_now_is_24_hours_on_any_day() -> None:
    eve = at("2026-03-28T20:00:00+01:00")
    assert moment("in 1d", eve, VIENNA) == at("2026-03-29T21:00:00+02:00")


def test_a_day_that_a_zone_skipped_whole_still_has_its_time() -> None:
    """Samoa had no 30 December 2011: it went from the 29th to the 31st."""
    apia = ZoneInfo("Pacific/Apia")
    eve = at("2011-12-29T20:00:00-10:00")
    assert moment("22:00", at("2011-12-29T23:00:00-10:00"), apia) == at("2011-12-31T22:00:00+14:00")
    assert moment("22:00", eve, apia) == at("2011-12-29T22:00:00-10:00")


def test_a_zone_that_is_none_is_refused() -> None:
    for name in ("Middle/Earth", "../etc/passwd", ""):
        with pytest.raises(BadTime, match="is no time zone; write it as Europe/Vienna"):
            zone_named(name)


def test_the_machine_has_a_zone_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert zone_named(None).key == machine_zone()
