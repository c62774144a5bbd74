"""The columns of a row by name; a name with dots leads into columns that hold objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kitchen_core.train.types import Row

_SHOWN = 12


def has_column(row: Row, column: str) -> bool:
    """Whether a row has a column, be it null."""
    holder, key = _holder(row, column)
    return isinstance(holder, Mapping) and key in holder


def column_value(row: Row, column: str) -> Any:
    """What a row has in a column, or None."""
    holder, key = _holder(row, column)
    return holder.get(key) if isinstance(holder, Mapping) else None


def _holder(row: Row, column: str) -> tuple[Any, str]:
    """The object that a column is in, and its key there: `data.turns` is `turns` of `data`, unless
    a column has that very name.
    """
    *parents, key = [column] if column in row else column.split(".")
    holder: Any = row
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, Mapping) else None
    return holder, key


def every_column(row: Row, prefix: str = "") -> Iterator[str]:
    """The columns, those within columns too, with dots."""
    for column, value in row.items():
        yield f"{prefix}{column}"
        if isinstance(value, Mapping):
            yield from every_column(dict(value), f"{prefix}{column}.")


def listed(names: Iterable[str]) -> str:
    """Names as an error message lists them: not too many."""
    every = [str(name) for name in names]
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
