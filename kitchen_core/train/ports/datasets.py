"""The datasets port: a local file's rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from kitchen_core.train.types import Row


class DatasetReader(Protocol):
    """Reads dataset files."""

    async def read(self, path: Path) -> Iterable[Row]:
        """A file's rows in order. They can be gone through any number of times, each time from the
        first, and are read as they are asked for, so that a file may be larger than memory. Going
        through them does I/O in the calling thread. Rows are JSON values, and belong to the caller.

        Raises NotFound, or InvalidRequest where the file has no rows or is of no known kind. Going
        through the rows raises InvalidRequest naming the file and the line or row.
        """
        ...
