"""Datasets that refs lead to: where their rows are, which of them are trained on, and what they
are, told by one pass over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kitchen_core.refs import Ref, RefError
from kitchen_core.slices import drain
from kitchen_core.telemetry.ports import Node
from kitchen_core.train.hashing import RowsHash, canonical_json
from kitchen_core.train.ports.hub import HubDataset
from kitchen_core.train.types import Row


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a dataset: rows that are read anew at every pass, how many they are, and the
    SHA-256 over their canonical text.
    """

    rows: Iterable[Row]
    num_rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ResolvedDataset:
    """A dataset that a ref led to, and its place in the lineage.

    train, test: None where the data brings no such split. revision: the commit, of data from a hub.
    """

    ref: str
    train: Split | None
    test: Split | None
    node: Node
    revision: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical rows, those to train on first."""
        return self.node.sha256 or ""

    @property
    def num_rows(self) -> int:
        """Rows of all its splits."""
        return sum(split.num_rows for split in (self.train, self.test) if split)


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Where a dataset's rows are, before they have been looked at. pin: as of a model."""

    train: Iterable[Row] | None
    test: Iterable[Row] | None
    name: str
    revision: str | None = None
    pin: str | None = None


async def split_of(
    rows: Iterable[Row] | None,
    whole: RowsHash,
    between: Callable[[int], None],
    seen: Callable[[str], None] = lambda line: None,
) -> Split | None:
    """A split by its rows, which are added to the hash of the whole as well. seen: told each one's
    canonical text.
    """
    if rows is None:
        return None
    own, before = RowsHash(), whole.num_rows

    def add(row: Row) -> None:
        line = canonical_json(row)
        whole.add_line(line)
        own.add_line(line)
        seen(line)

    await drain(rows, add, lambda done: between(before + done))
    return Split(rows, own.num_rows, own.hexdigest()) if own.num_rows else None


def rows_of_hub(ref: Ref, data: HubDataset) -> FoundRows:
    """A hub dataset's rows to train on and to measure on. Raises RefError where it has neither."""
    train, test = _train_split(data.splits), _test_split(data.splits)
    if train is None and test is None:
        names = ", ".join(data.splits)
        raise RefError(f"{ref} has no split to train on or to measure on; it has {names}")
    pinned = Ref("hf", ref.name, data.commit, ref.subset)
    name = f"{ref.name}@{data.commit}" + (f"#{ref.subset}" if ref.subset else "")
    return FoundRows(
        data.splits[train] if train else None,
        data.splits[test] if test else None,
        name,
        data.commit,
        str(pinned),
    )


def _train_split(names: Iterable[str]) -> str | None:
    """`train`, or the only one that begins so."""
    named = [name for name in names if name == "train" or name.startswith("train_")]
    return "train" if "train" in named else named[0] if len(named) == 1 else None


def _test_split(names: Mapping[str, object]) -> str | None:
    """`test`, else `validation`, else the first that begins as `test` does."""
    known = [name for name in ("test", "validation") if name in names]
    return next(iter([*known, *sorted(name for name in names if name.startswith("test_"))]), None)
