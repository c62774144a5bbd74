import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.batches import BatchPlan, MixedIn, is_held_out


def plan(**changes):
    settings = {"num_examples": 10, "batch_size": 4, "num_epochs": 3, "max_steps": None, "seed": 0}
    return BatchPlan(**settings | changes)


@given(
    num_examples=st.integers(1, 200),
    batch_size=st.integers(1, 64),
    num_epochs=st.integers(1, 4),
    seed=st.integers(0, 5),
)
def test_an_epoch_sees_every_example_at_most_once_and_misses_less_than_a_batch(
    num_examples, batch_size, num_epochs, seed
):
    p = plan(num_examples=num_examples, batch_size=batch_size, num_epochs=num_epochs, seed=seed)
    for epoch in range(num_epochs):
        batches = [p[i] for i in range(len(p)) if p.epoch(i) == epoch]
        seen = [example for batch in batches for example in batch]
        assert len(seen) == len(set(seen))
        assert num_examples - len(seen) < batch_size
        assert set(seen) <= set(range(num_examples))


def test_entering_the_plan_anywhere_gives_the_same_batches():
    assert [plan()[i] for i in (5, 0, 3)] == [[*plan()[5]], [*plan()[0]], [*plan()[3]]]


def test_each_epoch_is_shuffled_anew_and_each_seed_differently():
    assert plan(batch_size=10)[0] != plan(batch_size=10)[1]
    assert plan(batch_size=10)[0] != plan(batch_size=10, seed=1)[0]


def test_max_steps_caps_the_run_and_never_lengthens_it():
    assert len(plan()) == 6
    assert len(plan(max_steps=5)) == 5
    assert len(plan(max_steps=99)) == 6


def test_a_set_smaller_than_a_batch_gives_one_batch_an_epoch():
    small = plan(num_examples=3)
    assert len(small) == 3
    assert sorted(small[0]) == [0, 1, 2]


def test_beyond_the_end_there_is_nothing():
    with pytest.raises(IndexError):
        plan()[6]


mixtures = st.builds(
    lambda main, mixed, epochs, seed: plan(
        num_examples=main, batch_size=1, num_epochs=epochs, seed=seed, mixed=tuple(mixed)
    ),
    st.integers(1, 30),
    st.lists(st.builds(MixedIn, st.integers(1, 20), st.integers(0, 50)), min_size=1, max_size=3),
    st.integers(1, 5),
    st.integers(0, 3),
)
"""Plans of one example a batch, so that a batch's index says where its example stands."""


def drawn_by_set(p):
    """For each mixed set the examples that were taken, `[epoch][..]`, sorted within an epoch."""
    first = p.num_examples
    for mixed in p.mixed:
        own = range(first, first + mixed.num_examples)
        epochs = [[] for _ in range(p.num_epochs)]
        for i in range(len(p)):
            epochs[p.epoch(i)] += [example for example in p[i] if example in own]
        yield mixed, epochs
        first += mixed.num_examples


@given(mixtures)
def test_every_epoch_has_the_whole_dataset_once_and_its_share_of_each_mixed_set(p):
    for epoch in range(p.num_epochs):
        seen = [example for i in range(len(p)) if p.epoch(i) == epoch for example in p[i]]
        assert sorted(e for e in seen if e < p.num_examples) == list(range(p.num_examples))
        assert len(seen) == p.num_examples + sum(mixed.per_epoch for mixed in p.mixed)
    for mixed, epochs in drawn_by_set(p):
        assert [len(drawn) for drawn in epochs] == [mixed.per_epoch] * p.num_epochs


@given(mixtures)
def test_no_mixed_example_comes_again_before_all_have_come(p):
    """At the end of every epoch, no example of a set is more than one turn ahead of another."""
    for mixed, epochs in drawn_by_set(p):
        so_far = []
        for drawn in epochs:
            so_far += drawn
            counts = [so_far.count(example) for example in set(so_far)]
            counts += [0] * (mixed.num_examples - len(counts))
            assert max(counts) - min(counts) <= 1


@given(mixtures, st.integers(1, 16), st.randoms(use_true_random=False))
def test_a_batch_by_index_is_the_batch_by_iterating_whatever_came_before(p, batch_size, random):
    p = plan(**vars(p) | {"batch_size": batch_size})
    forwards = [p[i] for i in range(len(p))]
    order = list(range(len(p)))
    random.shuffle(order)
    assert [p[i] for i in order] == [forwards[i] for i in order]


def test_a_mixed_set_is_gone_through_before_it_starts_anew():
    # 5 examples, 3 an epoch: the second epoch takes the 2 that are left, and the first of a new round.
    p = plan(num_examples=1, batch_size=1, num_epochs=2, mixed=(MixedIn(5, 3),))
    ((_, (first, second)),) = drawn_by_set(p)
    assert len(set(first)) == 3
    assert set(first) | set(second) == {1, 2, 3, 4, 5}


def test_the_mixture_changes_the_plans_fingerprint():
    prints = {plan(mixed=mixed).fingerprint for mixed in ((), (MixedIn(5, 3),), (MixedIn(5, 4),))}
    assert len(prints) == 3


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_row_that_is_held_out_stays_so_when_more_is_held_out(key, one, other):
    few, many = sorted((one, other))
    assert is_held_out(key, few) <= is_held_out(key, many)


def test_the_share_held_out_is_about_what_was_asked_for():
    # 0.1 of 1,000 give or take four standard deviations of sqrt(1000 * .1 * .9) = 9.5
    assert 60 <= sum(is_held_out(str(i), 0.1) for i in range(1000)) <= 140
    assert not any(is_held_out(str(i), 0.0) for i in range(1000))


def test_the_side_of_a_row_is_that_of_its_hash():
    # printf x | sha256sum begins 2d711642b726b044: 0x2d711642b726b044 / 2**64 = 0.17751...
    assert not is_held_out("x", 0.1775)
    assert is_held_out("x", 0.1776)
