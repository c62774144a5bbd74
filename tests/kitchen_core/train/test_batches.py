import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.batches import BatchPlan, split_by_content


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


@given(st.lists(st.text(), max_size=200), st.floats(0, 1))
def test_a_split_loses_no_row_and_keeps_equal_rows_together(keys, fraction):
    train, test = split_by_content(keys, fraction)
    assert sorted(train + test) == list(range(len(keys)))
    assert not {keys[i] for i in train} & {keys[i] for i in test}


def test_a_row_keeps_its_side_when_others_come():
    keys = [str(i) for i in range(1000)]
    _, few = split_by_content(keys[:500], 0.1)
    _, many = split_by_content(keys, 0.1)
    assert few == [i for i in many if i < 500]
    assert 60 <= len(many) <= 140  # 0.1 of 1,000 give or take four standard deviations
