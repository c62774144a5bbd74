"""Which documents are read as one tree."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.trees import Tree, grow_trees, lone_trees

DOCUMENTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)
PAIRS_A_TOKEN = st.floats(0, 1000)
LARGEST = st.integers(1, 60)


def grown(documents: list[list[int]], pairs_a_token: float = 1e9, largest: int = 10**6):
    arrays = [np.array(document) for document in documents]
    return grow_trees(arrays, pairs_a_token=pairs_a_token, largest=largest)


def test_a_tree_by_hand():
    """In order: 1 2, then 1 2 3 with one more token, 1 2 4 5 with two, and 7 8 apart from them."""
    documents = [[1, 2, 4, 5], [7, 8], [1, 2], [1, 2, 3]]
    assert grown(documents) == [Tree((2, 3, 0), (0, 2, 2), 5), Tree((1,), (0,), 2)]


def test_equal_documents_are_read_once():
    assert grown([[1, 2, 3]] * 3) == [Tree((0, 1, 2), (0, 3, 3), 3)]


def test_a_document_joins_where_what_it_shares_is_worth_more_than_the_pairs_it_adds():
    """Two documents of 4 tokens that share 2: 6 * 6 pairs instead of 2 * 4 * 4, so 4 more."""
    documents = [[1, 2, 3, 4], [1, 2, 5, 6]]
    assert len(grown(documents, pairs_a_token=2)) == 2
    assert len(grown(documents, pairs_a_token=2.1)) == 1


def test_token_ids_are_ordered_as_numbers():
    assert grown([[1, 70_000], [1, 256], [1, 3]]) == [Tree((2, 1, 0), (0, 1, 1), 4)]


def test_a_tenth_of_the_tokens_is_not_worth_a_tree():
    """Two documents of 5 tokens share one, of 4 and 5 as well."""
    assert len(grown([[1, 2, 3, 4, 5], [1, 6, 7, 8, 9]])) == 2
    assert len(grown([[1, 2, 3, 4, 5], [1, 6, 7, 8]])) == 1


@given(DOCUMENTS, PAIRS_A_TOKEN, LARGEST)
def test_every_document_is_in_one_tree(documents, pairs_a_token, largest):
    trees = grown(documents, pairs_a_token, largest)
    assert sorted(i for tree in trees for i in tree.indices) == list(range(len(documents)))


@given(DOCUMENTS, PAIRS_A_TOKEN, LARGEST)
def test_a_document_shares_what_the_one_before_it_begins_with(documents, pairs_a_token, largest):
    for tree in grown(documents, pairs_a_token, largest):
        laid = [documents[index] for index in tree.indices]
        assert tree.shared[0] == 0
        for before, document, shared in zip(laid, laid[1:], tree.shared[1:], strict=False):
            assert shared > 0
            assert before[:shared] == document[:shared]


@given(DOCUMENTS, PAIRS_A_TOKEN, LARGEST)
def test_a_tree_reads_each_distinct_beginning_once(documents, pairs_a_token, largest):
    for tree in grown(documents, pairs_a_token, largest):
        laid = [documents[index] for index in tree.indices]
        assert tree.size == len({tuple(d[: n + 1]) for d in laid for n in range(len(d))})


@given(DOCUMENTS, PAIRS_A_TOKEN, LARGEST)
def test_no_tree_of_several_is_larger_than_it_may_be(documents, pairs_a_token, largest):
    for tree in grown(documents, pairs_a_token, largest):
        assert tree.size <= largest or not tree.branched


@given(DOCUMENTS)
def test_where_pairs_cost_everything_no_tree_is_larger_than_its_documents(documents):
    """Only what adds no pairs joins: a document that is all in another's, or nearly."""
    for tree in grown(documents, pairs_a_token=1e-9):
        assert tree.size**2 <= sum(len(documents[index]) ** 2 for index in tree.indices)


@given(DOCUMENTS)
def test_lone_trees_keep_the_order(documents):
    trees = lone_trees([np.array(document) for document in documents])
    assert [tree.indices for tree in trees] == [(index,) for index in range(len(documents))]
    assert [tree.size for tree in trees] == [len(document) for document in documents]
    assert not any(tree.branched for tree in trees)


def test_nothing_grows_from_nothing():
    assert grown([]) == []
