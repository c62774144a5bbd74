import numpy as np

from kitchen_core.train import rng


def test_a_stream_is_named_by_seed_and_names_alone():
    first = rng.stream(7, "shuffle", 3).random(4)
    rng.stream(7, "shuffle", 2).random(100)
    assert np.array_equal(first, rng.stream(7, "shuffle", 3).random(4))


def test_other_seeds_and_names_give_other_streams():
    seeds = {rng.seed_for(seed, name) for seed in range(20) for name in ("shuffle", "sample")}
    assert len(seeds) == 40


def test_the_seed_is_the_head_of_a_sha256_worked_by_hand():
    # printf '0/session' | sha256sum -> its first 16 hex digits, shifted right by one bit
    assert rng.seed_for(0, "session") == int("e89531ff4f829fad", 16) >> 1
