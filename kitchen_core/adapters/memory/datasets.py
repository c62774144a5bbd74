"""A dataset reader over rows that were put in by hand."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kitchen_core.train.ports.errors import InvalidRequest, NotFound
from kitchen_core.train.types import Row


@dataclass(frozen=True)
class MemoryRows:
    """Rows that are copied as they are given out."""

    rows: Sequence[Row]

    def __iter__(self) -> Iterator[Row]:
        return map(copy.deepcopy, self.rows)


class MemoryDatasets:
    """Files that exist only here."""

    def __init__(self, files: Mapping[Path, Sequence[Row]] | None = None) -> None:
        self._files = dict(files or {})

    def put(self, path: Path, rows: Sequence[Row]) -> None:
        """Let there be a file of these rows."""
        self._files[path] = rows

    async def read(self, path: Path) -> MemoryRows:
        """A file's rows in order. Raises NotFound, or InvalidRequest where it has none."""
        if path not in self._files:
            raise NotFound(
                f"there is no file {path}",
                port="dataset_reader",
                adapter="memory",
                asked="read",
                hint="Put its rows in first.",
            )
        rows = self._files[path]
        if not rows:
            raise InvalidRequest(
                f"{path}: the file has no rows",
                port="dataset_reader",
                adapter="memory",
                asked="read",
                hint="Give it at least one row.",
            )
        return MemoryRows(rows)
