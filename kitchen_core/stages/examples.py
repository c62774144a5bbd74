"""One side of a dataset as a stream of examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Generic, TypeVar

from kitchen_core.refs import RefError
from kitchen_core.resolved_data import Split
from kitchen_core.train.batches import is_held_out
from kitchen_core.train.hashing import RowsHash, canonical_json, sha256_of_json
from kitchen_core.train.schemas import Reading, Schema, recognise, rows_as
from kitchen_core.train.types import Row

E = TypeVar("E")


@dataclass(frozen=True)
class ExampleStream(Generic[E]):
    """The examples of a split, or of one side of it, read anew at every pass.

    name: what its rows are called in messages. reading: what is made of a row. fields: where its
    columns are named differently. fraction: the part of the rows that is held out; held_out: whether
    this is that part.
    """

    name: str
    split: Split
    reading: Reading[E]
    fields: Mapping[str, str] = field(default_factory=dict)
    fraction: float = 0.0
    held_out: bool = False

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what the examples depend on."""
        side = [self.fraction, self.held_out, self.reading.name]
        return sha256_of_json([self.split.sha256, dict(self.fields), *side])

    def schema(self) -> Schema:
        """The form that the rows have, by the first of them. Raises RowError."""
        return self._recognise(next(iter(self.split.rows)))

    def check(self, count: int) -> Schema:
        """The form that the rows have, and that the first ones fit it. Raises RowError."""
        rows = islice(self.split.rows, count)
        first = next(rows)
        schema = self._recognise(first)
        for number, row in enumerate(chain([first], rows), start=1):
            self.reading.take(schema, row, f"{self.name} row {number}")
        return schema

    def __iter__(self) -> Iterator[tuple[int, E]]:
        """The row's number, from 1, and the example in it.

        Raises RowError, and RefError at the end where the rows were not those that were resolved.
        """
        seen = _Seen(self.fraction)
        rows = map(seen.take, self.split.rows)
        examples = rows_as(self.reading, rows, self.name, self.fields)
        for number, example in enumerate(examples, start=1):
            if seen.last_is_held_out == self.held_out:
                yield number, example
        if seen.digest.hexdigest() != self.split.sha256:
            raise RefError(f"{self.name} changed while it was read; start the run again")

    def _recognise(self, first: Row) -> Schema:
        return recognise(first, self.fields, f"{self.name} row 1", answers=self.reading.answers)


class _Seen:
    """What goes by: the hash of all rows, and the side of the last."""

    def __init__(self, fraction: float) -> None:
        self.digest = RowsHash()
        self.last_is_held_out = False
        self._fraction = fraction

    def take(self, row: Row) -> Row:
        line = canonical_json(row)
        self.digest.add_line(line)
        self.last_is_held_out = self._fraction > 0 and is_held_out(line, self._fraction)
        return row
