"""The datasets port: a local file's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from kitchen_core.train.types import Row


class DatasetReader(Protocol):
    """Reads dataset files."""

    async def read(self, path: Path) -> list[Row]:
        """All rows of a file in order.

        Raises NotFound, or InvalidRequest naming the file and the row.
        """
        ...
