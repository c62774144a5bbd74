"""Which documents are read as one tree, each of their common beginnings once.

Completions of one prompt begin alike, and often go on alike: what is computed for a token depends on
the tokens up to it alone, so it is the same for all that have these in common. As with every layout
the gradient is that of single documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kitchen_core.train.types import IntArray


@dataclass(frozen=True, slots=True)
class Tree:
    """Documents in the order of their tokens.

    shared: with how many first tokens each begins as the one before it does, which are not read
    again; 0 for the first. size: how many tokens are read.
    """

    indices: tuple[int, ...]
    shared: tuple[int, ...]
    size: int

    @property
    def branched(self) -> bool:
        """Whether it is more than one document."""
        return len(self.indices) > 1

    def with_branch(self, index: int, length: int, shared: int) -> Tree:
        """This tree and the next document."""
        return Tree((*self.indices, index), (*self.shared, shared), self.size + length - shared)


def lone(index: int, length: int) -> Tree:
    """A document by itself."""
    return Tree((index,), (0,), length)


def grow_trees(documents: Sequence[IntArray], *, pairs_a_token: float, largest: int) -> list[Tree]:
    """Every document in one tree; the next, in the order of their tokens, joins where that pays.

    In a tree attention goes over all pairs of its tokens, most of which do not see each other.
    pairs_a_token: so many pairs cost as much as the rest of reading a token. largest: no tree of
    several documents has more tokens.
    """
    trees: list[Tree] = []
    order = sorted(range(len(documents)), key=lambda i: documents[i].astype(">i8").tobytes())
    for before, index in zip([None, *order], order, strict=False):
        length = len(documents[index])
        if before is not None:
            tree = trees[-1]
            shared = _common(documents[before], documents[index])
            size = tree.size + length - shared
            pairs = size**2 - tree.size**2 - length**2
            if shared * pairs_a_token > pairs and shared and size <= largest:
                trees[-1] = tree.with_branch(index, length, shared)
                continue
        trees.append(lone(index, length))
    return trees


def _common(one: IntArray, other: IntArray) -> int:
    """With how many equal tokens both begin."""
    length = min(len(one), len(other))
    apart = one[:length] != other[:length]
    return int(apart.argmax()) if apart.any() else length
