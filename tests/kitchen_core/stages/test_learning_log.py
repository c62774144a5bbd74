"""What is told of the optimizer's part of a reinforcement step, worked by hand."""

import asyncio
from typing import Any

import numpy as np
import pytest

from kitchen_core.stages.learning_log import trainer_metrics
from kitchen_core.stages.submitted import Submitted, Update
from kitchen_core.stages.substeps import Substep
from kitchen_core.train.types import Datum, ForwardResult

NOT_WAITED_FOR: Any = asyncio.sleep


def substep(sampled):
    """A substep of one sequence, with the sampler's logprobs of its tokens, all trained."""
    tokens = np.zeros(len(sampled), np.int64)
    extra = {"logprobs": np.array(sampled, np.float32), "advantages": np.ones_like(sampled)}
    datum = Datum(tokens, tokens, np.ones(len(sampled), np.float32), extra)
    return Substep(Submitted(NOT_WAITED_FOR, [datum], 0.0), Update(NOT_WAITED_FOR, 0.0))


def result(*logprobs, **metrics):
    return ForwardResult([np.array(logprobs, np.float32)], metrics)


STEPS = [substep([-1.0, -1.0, -1.0]), substep([-2.0])]


def test_the_distance_of_sampler_and_trainer_is_over_the_tokens_of_all_substeps():
    told = trainer_metrics(STEPS, [result(-1.0, -1.0, -0.5), result(-1.0)])
    assert told["optim/kl_sample_train_v1"] == pytest.approx((-0.5 - 1.0) / 4)
    assert told["optim/kl_sample_train_v2"] == pytest.approx((0.25 + 1.0) / 8)
    assert told["optim/entropy"] == pytest.approx(5 / 4)
    assert "optim/clip_fraction" not in told


def test_the_clipped_share_is_of_the_tokens_of_all_substeps():
    results = [result(-1.0, -1.0, -0.5, clip_fraction=1 / 3), result(-1.0, clip_fraction=1.0)]
    assert trainer_metrics(STEPS, results)["optim/clip_fraction"] == pytest.approx(2 / 4)
