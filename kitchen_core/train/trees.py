"""Which documents are read as one tree, what they begin with alike only once.

Completions of one prompt begin alike, and often go on alike. What is computed for a token depends on
the tokens up to it alone, so it is the same for all documents that have these in common. As with
every layout, the gradient is that of single documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kitchen_core.train.types import IntArray

NEGLIGIBLE_SHARING = 0.1
"""Documents that would save less than this share of their tokens are left by themselves: masks would
cost what that saves.
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """Documents in the order of their tokens.

    shared: with how many tokens each begins as the one before it does, which are not read again; 0
    for the first. size: how many tokens are read.
    """

    indices: tuple[int, ...]
    shared: tuple[int, ...]
    size: int

    @property
    def branched(self) -> bool:
        """Whether it is of several documents."""
        return len(self.indices) > 1

    def joined(self, other: Tree, shared: int) -> Tree:
        """This tree and a document, which follows."""
        size = self.size + other.size - shared
        return Tree(self.indices + other.indices, (*self.shared, shared), size)


def lone_trees(documents: Sequence[IntArray]) -> list[Tree]:
    """Every document by itself."""
    return [Tree((index,), (0,), len(document)) for index, document in enumerate(documents)]


def grow_trees(documents: Sequence[IntArray], *, pairs_a_token: float, largest: int) -> list[Tree]:
    """Every document in one tree. In the order of their tokens, the next joins where that pays.

    In a tree attention goes over all pairs of its tokens, of which most don't see each other.
    pairs_a_token: so many pairs take as long as the rest of reading a token. largest: no tree of
    several documents has more tokens. Where nearly all is read all the same, there are no trees.
    """
    lone = lone_trees(documents)
    order = sorted(range(len(lone)), key=lambda i: documents[i].astype(">i8").tobytes())
    trees: list[Tree] = []
    for index, shared in zip(order, _shared([documents[i][:largest] for i in order]), strict=True):
        if shared:
            joined = trees[-1].joined(lone[index], shared)
            pairs = joined.size**2 - trees[-1].size ** 2 - lone[index].size ** 2
            if pairs < shared * pairs_a_token and joined.size <= largest:
                trees[-1] = joined
                continue
        trees.append(lone[index])
    read, of = sum(tree.size for tree in trees), sum(tree.size for tree in lone)
    return trees if of - read > NEGLIGIBLE_SHARING * of else lone


def _shared(documents: Sequence[IntArray]) -> list[int]:
    """With how many tokens each begins as the one before it does: `[documents]`."""
    if len(documents) < 2:
        return [0] * len(documents)
    lengths = np.array([len(document) for document in documents])
    rows = np.full((len(documents), lengths.max() + 1), -1)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = np.concatenate(documents)
    apart = rows[1:] != rows[:-1]
    apart[:, -1] = True
    return [0, *np.minimum(apart.argmax(1), lengths[1:]).tolist()]
