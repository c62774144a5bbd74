import pytest

from kitchen_tui.format import duration, number, one_line, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (300.0, "300"),
        (0.123456, "0.1235"),
        (1.5e-5, "1.5e-5"),
        (19503.2, "19503"),
        (2.5e9, "2.5e9"),
        (-1.25, "-1.25"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m 00s"),
        (184, "3m 04s"),
        (7500, "2h 05m"),
        (97200, "1d 03h"),
    ],
)
def test_durations_name_their_two_largest_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_084_009, "1.08 MB"), (999_600, "1 MB")],
)
def test_sizes_are_decimal(count, text):
    assert size(count) == text


def test_long_text_is_cut_with_an_ellipsis():
    assert one_line("a\n b", 10) == "a b"
    assert one_line("abcdef", 4) == "abc…"
