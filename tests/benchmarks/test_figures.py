"""The arithmetic of the benchmarks, by hand."""

import pytest

from benchmarks import gpu
from benchmarks.race import Interval, Turn, cpu_ratio, median_interval, speed_ratio


def test_the_interval_of_a_median_goes_by_order():
    # n = 15: P(X < 4) = (1 + 15 + 105 + 455) / 2^15 = .0176 and P(X < 5) = .0592, so the 4th and the 12th
    assert median_interval([float(i) for i in range(15, 0, -1)]) == Interval(8, 4, 12)
    # n = 6: P(X < 1) = 1 / 64 = .0156, so the first and the last
    assert median_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]) == Interval(3.5, 1, 6)


def test_too_few_rounds_give_all_that_was_seen():
    assert median_interval([1.0, 3.0, 2.0]) == Interval(2, 1, 3)


def test_speeds_are_compared_round_by_round():
    ours = [Turn(tokens=100, seconds=s, cpu_seconds=1, peak_bytes=0) for s in (1, 10)]
    theirs = [Turn(tokens=50, seconds=s, cpu_seconds=2, peak_bytes=0) for s in (1, 10)]
    assert speed_ratio(ours, theirs) == Interval(2, 2, 2)
    assert cpu_ratio(ours, theirs) == Interval(4, 4, 4)


def test_pairs_and_completions_are_compared_as_tokens_are():
    ours = [Turn(tokens=9, seconds=2, cpu_seconds=1, peak_bytes=0, items=6)]
    theirs = [Turn(tokens=9, seconds=1, cpu_seconds=1, peak_bytes=0, items=2)]
    assert speed_ratio(ours, theirs, "items").median == 1.5
    assert cpu_ratio(ours, theirs, "items").median == 3


@pytest.mark.parametrize(
    ("speed", "mfu", "kept_mfu", "behind"),
    [
        (96, 0.4, 0.4, False),
        (94, 0.4, 0.4, True),
        (200, 0.4, 0.4, False),
        (100, 0.39, 0.4, False),
        (100, 0.37, 0.4, True),
        (100, None, 0.4, False),
        (100, 0.37, None, False),
    ],
)
def test_a_run_falls_behind_where_speed_or_mfu_is_less_than_the_tolerance(
    speed, mfu, kept_mfu, behind
):
    baseline = {"tokens_per_s": 100, "mfu": kept_mfu, "tolerance": 0.05}
    outcome = gpu.compare("card", gpu.Figures(speed, mfu), baseline)
    assert outcome.fell_behind is behind
    assert ("BEHIND" in outcome.line) is behind
