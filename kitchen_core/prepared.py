"""Prepared examples on disk: token sequences in memory-mapped files, kept by a key that says what
they were made from.

    prepared/KEY/tokens.i32      the tokens of all examples end to end, 4 bytes each
    prepared/KEY/trained.bits    a bit for each token: whether it is trained
    prepared/KEY/offsets.i64     where each example begins, and where the last one ends
    prepared/KEY/rows.i64        the number of the row that each example is from, from 1
    prepared/KEY/facts.json      size and SHA-256 of each file, and what was left out

A folder is written under another name, fsynced and renamed, so what has a key is whole; still every
file is held against its hash when it is opened, and what is not as it was written is made again.
A folder is held while it is written and while it is mapped; what nobody holds may be removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kitchen_core.folder_locks import claim_folder, hold_folder, remove_unheld
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.renderers import Rendered
from kitchen_core.train.types import Datum

logger = logging.getLogger(__name__)

LIMIT_BYTES = 20 * 2**30
"""What all prepared sets may take on disk together; the least recently used go first."""

_TOKENS, _TRAINED, _OFFSETS, _ROWS = "tokens.i32", "trained.bits", "offsets.i64", "rows.i64"
_TYPES = {_TOKENS: np.int32, _TRAINED: np.uint8, _OFFSETS: np.int64, _ROWS: np.int64}
_FACTS = "facts.json"
_BITS_AT_ONCE = 8 * 4096


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that gave no example: how many, and the number of the first, from 1."""

    count: int = 0
    first_row: int = 0


class _Damaged(Exception):  # noqa: N818 - a set that is found so is made again
    """A file is not what was written."""


class PreparedSet(Sequence[Datum]):
    """The examples of one set; a datum is cut out of the map when it is asked for.

    left_out: of the rows that it was made from. fingerprint: SHA-256 over tokens, marks,
    bounds and rows.
    """

    def __init__(self, folder: Path) -> None:
        weakref.finalize(self, os.close, hold_folder(folder))
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        self.left_out = LeftOut(**facts["left_out"])
        self.fingerprint = sha256_of_json(facts["files"])
        self._tokens, self._bits, self._offsets, self._rows = (
            _verified(folder / name, facts["files"][name]) for name in _TYPES
        )

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> Datum:  # type: ignore[override]  # a plan asks one by one
        """Example `index` as a datum `[seq - 1]`: trained tokens weigh 1, the rest 0."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        start, end = int(self._offsets[index]), int(self._offsets[index + 1])
        tokens = self._tokens[start:end].astype(np.int64)
        return Datum(tokens[:-1], tokens[1:], self._trained(start + 1, end).astype(np.float32))

    def row(self, index: int) -> int:
        """The number of the row that example `index` is from, from 1."""
        return int(self._rows[index])

    def _trained(self, start: int, end: int) -> np.ndarray:
        """The marks of tokens `start` to `end`."""
        first = start // 8
        bits = np.unpackbits(self._bits[first : -(-end // 8)], bitorder="little")
        return bits[start - 8 * first : end - 8 * first]


class PreparedWriter:
    """Writes one set; `left_out` is told by whoever knows the rows.

    made: the set, once it is written whole.
    """

    made: PreparedSet

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left_out = LeftOut()
        self.num_examples = 0
        self._files = {name: _HashedFile(folder / name) for name in _TYPES}
        self._end = 0
        self._marks: list[bool] = []
        self._write(_OFFSETS, [0])

    def add(self, rendered: Rendered, row: int) -> None:
        """Take the next example, `[seq]` with seq at least 2, and the number of its row."""
        self._write(_TOKENS, rendered.tokens)
        self._marks += rendered.trained
        if len(self._marks) >= _BITS_AT_ONCE:
            self._write_marks(len(self._marks) // 8 * 8)
        self._end += len(rendered.tokens)
        self._write(_OFFSETS, [self._end])
        self._write(_ROWS, [row])
        self.num_examples += 1

    def finish(self) -> None:
        """Bring everything to the disk, and map it."""
        self._write_marks(len(self._marks))
        files = {name: file.finish() for name, file in self._files.items()}
        facts = _HashedFile(self.folder / _FACTS)
        facts.write(json.dumps({"files": files, "left_out": asdict(self.left_out)}).encode())
        facts.finish()
        _sync_folder(self.folder)
        self.made = PreparedSet(self.folder)

    def close(self) -> None:
        """Let go of the files, whatever becomes of them: on a full disk closing fails, too."""
        for file in self._files.values():
            with suppress(OSError):
                file.close()

    def _write(self, name: str, values: list[int]) -> None:
        self._files[name].write(np.asarray(values, dtype=_TYPES[name]).tobytes())

    def _write_marks(self, count: int) -> None:
        packed = np.packbits(np.asarray(self._marks[:count], dtype=bool), bitorder="little")
        self._files[_TRAINED].write(packed.tobytes())
        self._marks = self._marks[count:]


class PreparedStore:
    """The prepared sets of one home. Several processes may share it."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def find(self, key: str) -> PreparedSet | None:
        """The set under a key, checked; None where there is none, or none that is whole."""
        place = self._folder / key
        try:
            found = PreparedSet(place)
            os.utime(place / _FACTS)  # so that it counts as used
            return found
        except FileNotFoundError as error:
            if not place.exists():
                return None
            problem = str(error)
        except (_Damaged, ValueError, KeyError, TypeError) as error:
            problem = str(error)
        logger.warning("prepared data %s is damaged and made again: %s", key[:12], problem)
        shutil.rmtree(place, ignore_errors=True)
        return None

    @contextmanager
    def writing(self, key: str) -> Iterator[PreparedWriter]:
        """A writer for the set under a key, which is there when the block ends without an error."""
        self._sweep()
        partial, held = claim_folder(self._folder, ".")
        try:
            with closing(PreparedWriter(partial)) as writer:
                yield writer
                writer.finish()
            self._publish(partial, self._folder / key)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            os.close(held)
        self._drop_beyond_limit()

    def _publish(self, partial: Path, place: Path) -> None:
        try:
            partial.rename(place)
        except OSError:
            if not place.is_dir():  # else another worker was faster with the same
                raise
        _sync_folder(self._folder)

    def _drop_beyond_limit(self) -> None:
        """Remove the least recently used of those that nobody uses."""
        total = 0
        for place in sorted(self._folder.glob("[!.]*"), key=_last_used, reverse=True):
            size = _size_of(place)
            if total + size <= self._limit_bytes or not remove_unheld(place):
                total += size

    def _sweep(self) -> None:
        """Remove what processes that died left unfinished."""
        for partial in self._folder.glob(".*"):
            remove_unheld(partial)


class _HashedFile:
    """A file that is hashed as it is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, block: bytes) -> None:
        self._digest.update(block)
        self._size += self._file.write(block)

    def finish(self) -> dict[str, Any]:
        """Wait until it is on the disk; its size and hash."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return {"size": self._size, "sha256": self._digest.hexdigest()}

    def close(self) -> None:
        self._file.close()


def _verified(path: Path, recorded: dict[str, Any]) -> np.ndarray:
    """A file as an array over its map. Raises _Damaged where it is not what was recorded."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != recorded["size"]:
            raise _Damaged(f"{path.name} has {size} bytes, not {recorded['size']}")
        # Read rather than mapped: what is read through a map counts as this process's memory.
        if hashlib.file_digest(file, "sha256").hexdigest() != recorded["sha256"]:
            raise _Damaged(f"{path.name} is not what was written")
        return np.memmap(file, dtype=_TYPES[path.name], mode="r")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_used(place: Path) -> float:
    try:
        return (place / _FACTS).stat().st_mtime
    except FileNotFoundError:  # damaged, or just being removed by another
        return 0.0


def _size_of(place: Path) -> int:
    try:
        return sum(file.stat().st_size for file in place.glob("*"))
    except FileNotFoundError:
        return 0
