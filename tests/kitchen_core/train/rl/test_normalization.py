"""How token losses add up, against TRL's definitions worked by hand."""

import numpy as np
import pytest

from kitchen_core.train.rl.assembly import Origin
from kitchen_core.train.rl.normalization import normalized
from kitchen_core.train.types import Datum


def datum(trained, of=6):
    """A sequence whose last so many tokens are trained."""
    tokens = np.zeros(of, np.int64)
    weights = np.zeros(of, np.float32)
    weights[of - trained :] = 1
    return Datum(tokens, tokens, weights)


DATUMS = [datum(2), datum(4), datum(1), datum(1)]
ORIGINS = [Origin(0, 0), Origin(0, 1), Origin(1, 0), Origin(1, 0)]  # the last two are one episode


def weights(method):
    found = normalized(DATUMS, ORIGINS, method, max_tokens=5)
    return [sorted({float(w) for w in each.weights if w})[0] for each in found]


def test_the_sum_leaves_the_weights_as_they_are():
    assert weights("sum") == [1, 1, 1, 1]


def test_grpo_is_the_mean_over_episodes_of_each_ones_mean():
    # three episodes of 2, 4 and 1 + 1 tokens
    assert weights("grpo") == pytest.approx([1 / 6, 1 / 12, 1 / 6, 1 / 6])


def test_dapo_is_the_mean_over_tokens():
    assert weights("dapo") == pytest.approx([1 / 8] * 4)


def test_dr_grpo_divides_by_a_constant_length():
    assert weights("dr_grpo") == pytest.approx([1 / 15] * 4)


@pytest.mark.parametrize("method", ["grpo", "dapo"])
def test_means_have_weights_that_sum_to_1(method):
    found = normalized(DATUMS, ORIGINS, method, max_tokens=5)
    assert sum(float(each.weights.sum()) for each in found) == pytest.approx(1)
