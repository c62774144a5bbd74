"""Datums and losses as they go over the wire, by numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kitchen_core.adapters.tinker.datums import request, speaks, weighted
from kitchen_core.train.types import Datum, LossSpec

NAN = np.nan
CLIPS = {"clip_low": 0.8, "clip_high": 1.2}
DATUM = Datum(
    tokens=np.array([5, 6, 7]),
    targets=np.array([6, 7, 8]),
    weights=np.array([0, 1, 0.5], np.float32),
    extra={
        "logprobs": np.array([NAN, -1, -2], np.float32),
        "advantages": np.array([NAN, 3, -4], np.float32),
    },
)


def sent(spec: LossSpec) -> dict[str, list[float]]:
    [datum] = request([DATUM], spec).data
    assert datum.model_input.to_ints() == [5, 6, 7]
    return {name: tensor.to_numpy().tolist() for name, tensor in datum.loss_fn_inputs.items()}


def test_cross_entropy_keeps_its_weights():
    assert sent(LossSpec()) == {"target_tokens": [6, 7, 8], "weights": [0, 1, 0.5]}


def test_reinforce_is_cross_entropy_weighted_by_the_advantages():
    spec = LossSpec("reinforce")
    assert request([DATUM], spec).loss == "cross_entropy"
    assert sent(spec) == {"target_tokens": [6, 7, 8], "weights": [0, 3, -2]}


@pytest.mark.parametrize("name", ["importance_sampling", "ppo", "cispo", "stable_reinforce"])
def test_a_policy_loss_has_its_weights_in_the_advantages_and_nothing_where_nothing_counts(name):
    spec = LossSpec(name, {} if name == "importance_sampling" else CLIPS)
    assert request([DATUM], spec).loss == name
    assert sent(spec) == {
        "target_tokens": [6, 7, 8],
        "logprobs": [0, -1, -2],
        "advantages": [0, 3, -2],
    }


def test_gspo_says_which_tokens_its_ratio_is_of():
    assert sent(LossSpec("gspo", CLIPS))["sequence_ratio_mask"] == [0, 1, 1]


def test_the_clips_are_always_said():
    config = request([DATUM], LossSpec("ppo", CLIPS)).config
    assert config == {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    assert request([DATUM], LossSpec("importance_sampling")).config is None


def test_several_targets_a_token_keep_their_shape():
    datum = Datum(np.arange(2), np.array([[1, 2], [3, 4]]), np.full((2, 2), 0.5, np.float32))
    [converted] = weighted([datum], [datum.weights]).data
    assert converted.loss_fn_inputs["target_tokens"].shape == [2, 2]
    assert converted.loss_fn_inputs["weights"].to_numpy().tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_what_the_service_would_compute_otherwise_is_computed_here():
    """dro's square has no advantage in it; a minimum turns round under a negative weight."""
    negative = Datum(DATUM.tokens, DATUM.targets, -DATUM.weights, DATUM.extra)
    assert not speaks([DATUM], LossSpec("dro", {"beta": 0.1}))
    assert speaks([DATUM], LossSpec("ppo", CLIPS))
    assert not speaks([DATUM, negative], LossSpec("ppo", CLIPS))
    assert speaks([negative], LossSpec("importance_sampling"))
