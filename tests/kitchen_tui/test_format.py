import json

import pytest

from kitchen_tui.cli.output import emit_json_list
from kitchen_tui.format import duration, number, one_line, signed, size, with_error


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


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (0.12345, "+0.123"), (-2.0, "-2"), (1e-5, "+1e-5")],
)
def test_what_can_be_above_or_below_zero_has_a_sign(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.61042, 0.02305, "0.610 ± 0.023"),
        (-0.5, 0.4, "-0.50 ± 0.40"),
        (123.4, 12.0, "123 ± 12"),
        (0.5, 0.0, "0.5 ± 0"),
    ],
)
def test_a_value_is_written_to_the_second_digit_of_its_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize("portions", [[], [[{"a": 1}]], [[{"a": "]"}, {"b": []}], [{"c": "["}]]])
@pytest.mark.parametrize("at_a_terminal", [True, False])
def test_a_long_list_is_one_json_whatever_its_portions(
    capsys, monkeypatch, portions, at_a_terminal
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: at_a_terminal)
    emit_json_list(portions)
    assert json.loads(capsys.readouterr().out) == [item for portion in portions for item in portion]
