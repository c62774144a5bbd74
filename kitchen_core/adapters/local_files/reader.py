"""The dataset reader: picks the format by the file's ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kitchen_core.adapters.local_files.columns import read_arrow, read_parquet
from kitchen_core.adapters.local_files.failures import invalid
from kitchen_core.adapters.local_files.text import read_csv, read_json, read_jsonl
from kitchen_core.train.ports.errors import InvalidRequest, NotFound
from kitchen_core.train.types import Row

Parse = Callable[[Path], Iterator[Row] | list[Row]]
"""Gives a file's rows as they are read, or all of them where its format can only be read whole."""

FORMATS: dict[str, Parse] = {
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".jsonl.gz": read_jsonl,
    ".json.gz": read_json,
    ".csv.gz": read_csv,
}


@dataclass
class FileRows:
    """The rows of a file, read anew each time they are gone through; those of a format that can only
    be read whole are read once and kept.

    version: what the file was when it was opened; a file that is written to in between is refused,
    for its rows would be neither the old nor the new ones.
    """

    path: Path
    parse: Parse
    version: tuple[int, int, int]
    _kept: list[Row] | None = field(default=None, init=False, repr=False)

    def __iter__(self) -> Iterator[Row]:
        self._check_version()
        try:
            rows = self._kept or self.parse(self.path)
            self._kept = rows if isinstance(rows, list) else None
            yield from rows
        except OSError as error:
            raise _unreadable(self.path, error) from error
        self._check_version()

    def _check_version(self) -> None:
        if _version(self.path) != self.version:
            raise invalid(
                f"{self.path}: the file was changed while it was being read",
                "Let nothing write to it while a run needs it.",
            )


class LocalFiles:
    """Reads dataset files, off the event loop."""

    async def read(self, path: Path) -> FileRows:
        """A file's rows in order; see `DatasetReader`. Raises NotFound or InvalidRequest."""
        return await asyncio.to_thread(open_rows, path)


def open_rows(path: Path) -> FileRows:
    """A file's rows; what `LocalFiles.read` does, in the calling thread."""
    if path.is_dir():
        raise invalid(f"{path}: this is a folder", "Give a dataset file.")
    if not path.is_file():
        raise NotFound(
            f"there is no file {path}",
            port="dataset_reader",
            adapter="local_files",
            hint="Check the path; a hub dataset is written hf:ORG/NAME.",
        )
    rows = FileRows(path, _format_of(path), _version(path))
    if path.stat().st_size == 0:
        raise invalid(f"{path}: the file is empty", "Give a file with at least one row.")
    if next(iter(rows), None) is None:
        raise invalid(f"{path}: the file has no rows", "Give a file with at least one row.")
    return rows


def _format_of(path: Path) -> Parse:
    name = path.name.lower()
    for ending, parse in FORMATS.items():
        if name.endswith(ending):
            return parse
    known = ", ".join(FORMATS)
    raise invalid(f"{path}: unknown kind of file {path.suffix!r}", f"Use one of {known}.")


def _version(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> InvalidRequest:
    return invalid(f"{path}: can't be read: {error.strerror or error}", "Check the file.")
