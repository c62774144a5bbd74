"""Content hashes of files and folders on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kitchen_core.train.hashing import sha256_of_json


def sha256_of_file(path: Path) -> str:
    """SHA-256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_manifest(folder: Path) -> dict[str, str]:
    """`{relative path: sha256}` of every file below a folder. Raises ValueError on a symbolic link."""
    manifest: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ValueError(f"{path} is a symbolic link; a tree holds files only")
        if path.is_file():
            manifest[path.relative_to(folder).as_posix()] = sha256_of_file(path)
    return manifest


def sha256_of_tree(folder: Path) -> str:
    """A tree's hash: SHA-256 over the canonical JSON of its manifest."""
    return sha256_of_json(tree_manifest(folder))
