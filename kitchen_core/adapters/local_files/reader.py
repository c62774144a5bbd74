"""The dataset reader: picks the format by the file's ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from kitchen_core.adapters.local_files.columns import read_arrow, read_parquet
from kitchen_core.adapters.local_files.failures import invalid
from kitchen_core.adapters.local_files.text import read_csv, read_json, read_jsonl
from kitchen_core.train.ports.errors import NotFound
from kitchen_core.train.types import Row

FORMATS: dict[str, Callable[[Path], list[Row]]] = {
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
}


class LocalFiles:
    """Reads dataset files, off the event loop."""

    async def read(self, path: Path) -> list[Row]:
        """All rows of a file in order. Raises NotFound, or InvalidRequest naming the file and the row."""
        return await asyncio.to_thread(read_rows, path)


def read_rows(path: Path) -> list[Row]:
    """All rows of a file in order; what `LocalFiles.read` does, in the calling thread."""
    if not path.is_file():
        raise NotFound(
            f"there is no file {path}",
            port="dataset_reader",
            adapter="local_files",
            hint="Check the path; a hub dataset is written hf:ORG/NAME.",
        )
    read = FORMATS.get(path.suffix.lower())
    if read is None:
        known = ", ".join(FORMATS)
        raise invalid(f"{path}: unknown kind of file {path.suffix!r}", f"Use one of {known}.")
    if path.stat().st_size == 0:
        raise invalid(f"{path}: the file is empty", "Give a file with at least one row.")
    rows = read(path)
    if not rows:
        raise invalid(f"{path}: the file has no rows", "Give a file with at least one row.")
    return rows
