import numpy as np
import pytest

from kitchen_core.train.kl import kl_sample_train


def test_it_is_the_cookbook_s():
    # tinker-cookbook 0.5.8: sampler -0.5 each, trainer -0.6 each: v1 0.1, v2 0.005
    sampler, trainer = np.full(2, -0.5, np.float32), np.full(2, -0.6, np.float32)
    estimates = kl_sample_train([sampler, sampler], [trainer, trainer])
    assert estimates == pytest.approx((0.1, 0.005), abs=1e-7)


def test_every_token_counts_the_same_whichever_completion_it_is_of():
    one = kl_sample_train([np.zeros(1), np.zeros(3)], [np.ones(1), np.full(3, -1.0)])
    assert one == pytest.approx((0.5, 0.5))
