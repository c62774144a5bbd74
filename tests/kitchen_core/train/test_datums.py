import math

import numpy as np
import pytest

from kitchen_core.train.datums import datum_from_rendered, mean_nll, reduce_weights
from kitchen_core.train.renderers import Rendered


def datum(tokens, trained):
    return datum_from_rendered(Rendered(tokens, [bool(t) for t in trained]))


def test_a_datum_is_shifted_by_one_and_weighs_what_is_trained():
    made = datum([1, 2, 3, 4], [0, 0, 1, 1])
    assert made.tokens.tolist() == [1, 2, 3]
    assert made.targets.tolist() == [2, 3, 4]
    assert made.weights.tolist() == [0, 1, 1]
    assert made.num_loss_tokens == 2


def test_by_token_every_trained_token_counts_the_same():
    short, long = reduce_weights(
        [datum([1, 2, 3], [0, 0, 1]), datum([1, 2, 3, 4], [0, 1, 1, 1])], "token"
    )
    assert short.weights.tolist() == pytest.approx([0, 1 / 4])
    assert long.weights.tolist() == pytest.approx([1 / 4, 1 / 4, 1 / 4])


def test_by_example_every_example_counts_the_same():
    short, long = reduce_weights(
        [datum([1, 2, 3], [0, 0, 1]), datum([1, 2, 3, 4], [0, 1, 1, 1])], "example"
    )
    assert short.weights.tolist() == pytest.approx([0, 1 / 2])
    assert long.weights.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6])


def test_mean_nll_is_over_trained_tokens_alone():
    # tinker-cookbook 0.5.8: compute_mean_nll divides the weighted sum by the weights; here -(ln .5 + ln .25) / 2
    logprobs = np.log(np.array([0.9, 0.5, 0.25], dtype=np.float32))
    assert mean_nll([logprobs], [datum([1, 2, 3, 4], [0, 0, 1, 1])]) == pytest.approx(
        1.5 * math.log(2), abs=1e-6
    )
