"""Reasons read as people speak."""

from __future__ import annotations

import pytest

from kitchen_daemon.queueing import words
from tests.kitchen_daemon.queueing.queues import NOON, berlin


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (9_400_000_000, "9.4 GB"),
        (14_000_000_000, "14 GB"),
        (80_120_000_000, "80 GB"),
        (9_960_000_000, "10 GB"),
        (999_600_000, "1 GB"),
        (350_000_000, "350 MB"),
        (1_500_000, "1.5 MB"),
        (12_000, "12 kB"),
        (0, "0 GB"),
    ],
)
def test_sizes_have_two_digits_or_none_after_the_point(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (berlin(2027, 3, 3, 22), "at 22:00"),
        (berlin(2027, 3, 3, 9, 5), "at 09:05"),
        (berlin(2027, 3, 4, 6, 30), "tomorrow at 06:30"),
        (berlin(2027, 3, 5, 22), "on Friday at 22:00"),
        (berlin(2027, 3, 8, 22), "on Monday at 22:00"),
        (berlin(2027, 3, 10, 22), "on 10 March at 22:00"),
        (berlin(2028, 1, 1, 0), "on 1 January 2028 at 00:00"),
    ],
)
def test_a_moment_names_its_day_where_that_is_not_today(at: float, text: str) -> None:
    assert words.moment(at, NOON) == text


def test_tomorrow_is_the_next_day_in_the_short_night_too() -> None:
    assert words.moment(berlin(2027, 3, 28, 23, 30), berlin(2027, 3, 27, 0, 30)) == (
        "tomorrow at 23:30"
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["X"], "X"),
        (["X", "Y"], "X and Y"),
        (["X", "Y", "Z"], "X, Y and Z"),
        (["X", "Y", "Z", "U", "V"], "X, Y and 3 more"),
    ],
)
def test_lists_are_short(names: list[str], text: str) -> None:
    assert words.listed(names) == text
