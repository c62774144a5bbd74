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


def test_a_token_of_the_half_billion_model_costs_three_and_a_half_gigaflop():
    # 6 x 494e6 weights + 12 x 24 layers x 896 x 2048
    assert gpu.flops_per_token() == pytest.approx(6 * 494e6 + 528.5e6, rel=1e-3)


def test_mfu_is_the_share_of_the_peak():
    # 85k tokens/s x 3.49 GFLOP of 989 TFLOP/s
    assert gpu.mfu(85_000, "NVIDIA H100 80GB HBM3") == pytest.approx(0.30, abs=0.005)
    assert gpu.mfu(85_000, "NVIDIA H100 PCIe") == pytest.approx(0.39, abs=0.005)
    assert gpu.mfu(85_000, "some other card") is None


@pytest.mark.parametrize(("speed", "behind"), [(96, False), (94, True), (200, False)])
def test_a_run_falls_behind_where_it_is_slower_than_the_tolerance(speed, behind):
    baseline = {"tokens_per_s": 100, "tolerance": 0.05}
    outcome = gpu.compare("card", gpu.Figures(speed, mfu=None), baseline)
    assert outcome.fell_behind is behind
    assert ("BEHIND" in outcome.line) is behind
