"""Content hashes: the same content has the same SHA-256, wherever it lies and whatever it is
called.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return _CANONICAL.encode(value)


def sha256_of_json(value: Any) -> str:
    """SHA-256 over the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


class RowsHash:
    """SHA-256 over rows in order, a canonical JSON line each; the file format does not matter."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.num_rows = 0

    def add(self, row: Any) -> None:
        """Take the next row."""
        self.add_line(canonical_json(row))

    def add_line(self, canonical: str) -> None:
        """Take the next row by its canonical JSON."""
        self._digest.update(canonical.encode())
        self._digest.update(b"\n")
        self.num_rows += 1

    def hexdigest(self) -> str:
        """The hash of what has been added."""
        return self._digest.hexdigest()


def sha256_of_rows(rows: Iterable[Any]) -> str:
    """The hash of all rows, which are gone through once."""
    digest = RowsHash()
    for row in rows:
        digest.add(row)
    return digest.hexdigest()
