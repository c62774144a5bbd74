"""What the hub keeps: repositories from folders, with the hashes that a hub lists."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGE = (".safetensors", ".parquet", ".bin", ".arrow")
"""Files that are kept apart from git and known by their SHA-256, as LFS does it."""


@dataclass
class Repo:
    """A repository: its files, its one commit, who is let in, and how often it was fetched.

    gated: only GOOD_TOKEN may read its files. private: only GOOD_TOKEN may see it.
    """

    folder: Path
    commit: str = "a" * 40
    gated: bool = False
    private: bool = False
    downloads: int = 0

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def name_of(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def tree(self) -> list[dict[str, Any]]:
        """The files as a hub lists them."""
        return [self._entry(path) for path in self.files()]

    def _entry(self, path: Path) -> dict[str, Any]:
        size = path.stat().st_size
        entry = {"type": "file", "path": self.name_of(path), "size": size, "oid": git_oid(path)}
        if path.suffix in LARGE:
            sha256 = sha256_of(path)
            entry["oid"] = hashlib.sha1(b"a pointer to " + sha256.encode()).hexdigest()
            entry["lfs"] = {"oid": sha256, "size": size, "pointerSize": 100 + len(str(size))}
        return entry


def etag(path: Path) -> str:
    """What names a file's content in an answer."""
    return sha256_of(path) if path.suffix in LARGE else git_oid(path)


def git_oid(path: Path) -> str:
    """As `git hash-object` gives it."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
