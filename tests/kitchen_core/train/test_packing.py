"""Which datums share a micro-batch."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.packing import (
    MicroBatchPlan,
    best_fit,
    packed_micro_batches,
    padded_micro_batches,
    padded_rows,
    padding_share,
    similar_runs,
)
from kitchen_core.train.trees import Tree

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)
BUDGETS = st.integers(1, 100)


def plan_micro_batches(lengths: list[int], budget: int, *, packing: bool) -> list[MicroBatchPlan]:
    """Of documents that share nothing."""
    if not packing:
        return padded_micro_batches(lengths, budget)
    return packed_micro_batches([Tree((i,), (0,), n) for i, n in enumerate(lengths)], budget)


def first_fit_decreasing(lengths: list[int], budget: int) -> int:
    """How many bins the simplest good rule takes."""
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        place = next((i for i, room in enumerate(rooms) if room >= length), None)
        if place is None:
            rooms.append(budget - length)
        else:
            rooms[place] -= length
    return len(rooms)


def test_best_fit_by_hand():
    """9; 7 + 3; 5 + 2 + 1: the 2 could go beside the 7 only if the 3 had not."""
    assert best_fit([5, 3, 9, 2, 7, 1], 10) == [(2, 5), (4, 1), (0, 3)]


def test_padded_rows_by_hand():
    """Two rows of 5 are 10 tokens, two of 9 are 18."""
    assert padded_rows([5, 3, 9, 2, 7, 1], 10) == [(2,), (4,), (0, 1), (3, 5)]


@given(LENGTHS, BUDGETS, st.booleans())
def test_every_datum_is_in_one_micro_batch(lengths, budget, packing):
    plans = plan_micro_batches(lengths, budget, packing=packing)
    assert sorted(i for plan in plans for i in plan.indices) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS)
def test_a_packed_micro_batch_keeps_to_the_budget_unless_one_datum_is_longer(lengths, budget):
    for plan in plan_micro_batches(lengths, budget, packing=True):
        assert sum(lengths[i] for i in plan.indices) <= budget or len(plan.indices) == 1


@given(LENGTHS, BUDGETS)
def test_padded_rows_keep_to_the_budget_with_their_padding(lengths, budget):
    for rows in padded_rows(lengths, budget):
        assert max(lengths[i] for i in rows) * len(rows) <= budget or len(rows) == 1


@given(LENGTHS, BUDGETS, st.booleans())
def test_the_longest_comes_first(lengths, budget, packing):
    for plan in plan_micro_batches(lengths, budget, packing=packing):
        laid = [lengths[i] for i in plan.indices]
        assert laid == sorted(laid, reverse=True)


@given(LENGTHS, BUDGETS, st.booleans())
def test_the_plan_follows_from_the_lengths_alone(lengths, budget, packing):
    assert plan_micro_batches(lengths, budget, packing=packing) == plan_micro_batches(
        list(lengths), budget, packing=packing
    )


@given(st.integers(6, 100), st.data())
def test_best_fit_is_no_worse_than_first_fit_where_nothing_is_tiny(budget, data):
    """Johnson's theorem: with no item below a sixth of the bin, best-fit decreasing never takes more."""
    sizes = st.integers(ceil(budget / 6), budget)
    lengths = data.draw(st.lists(sizes, min_size=1, max_size=40))
    assert len(best_fit(lengths, budget)) <= first_fit_decreasing(lengths, budget)


@given(LENGTHS, st.integers(60, 200))
def test_all_bins_but_one_are_more_than_half_full(lengths, budget):
    filled = sorted(sum(lengths[i] for i in bin_) for bin_ in best_fit(lengths, budget))
    assert all(tokens > budget / 2 for tokens in filled[1:])


def test_rows_of_nearly_one_length_are_left_as_rows():
    assert [plan.packed for plan in plan_micro_batches([100, 100, 99], 400, packing=True)] == [
        False
    ]
    assert [plan.packed for plan in plan_micro_batches([100, 100, 50], 400, packing=True)] == [True]
    assert padding_share([100, 100, 50]) == pytest.approx(50 / 300)


def test_runs_are_of_similar_length():
    """100, 60 and 50 are no more than halved; 49 begins a run, and so does 20; 3 is short as well."""
    assert similar_runs([100, 60, 50, 49, 40, 20, 10, 3], alike=32) == [
        range(0, 3),
        range(3, 5),
        range(5, 8),
    ]


def test_trees_come_before_documents_and_take_the_room_of_what_they_read():
    """A tree of 6 tokens, of documents of 4 and 5 that share 3, fits beside 8 in 14."""
    trees = [Tree((0,), (0,), 8), Tree((2, 1), (0, 3), 6), Tree((3,), (0,), 9)]
    assert packed_micro_batches(trees, 14) == [
        MicroBatchPlan((3,), packed=False, shared=(0,)),
        MicroBatchPlan((2, 1, 0), packed=True, shared=(0, 3, 0)),
    ]
