"""Content hashes of files and folders on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kitchen_core.train.hashing import sha256_of_json

MODEL_FILES = frozenset({".safetensors", ".json", ".jinja", ".txt", ".model"})


def sha256_of_file(path: Path) -> str:
    """SHA-256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_manifest(folder: Path) -> dict[str, str]:
    """`{relative path: sha256}` of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in files}


def sha256_of_tree(folder: Path) -> str:
    """A tree's hash: SHA-256 over the canonical JSON of its manifest."""
    return sha256_of_json(tree_manifest(folder))


def model_manifest(folder: Path) -> dict[str, str]:
    """`{name: sha256}` of the files that a model is loaded from, and of nothing else that lies there."""
    files = sorted(path for path in folder.iterdir() if path.suffix in MODEL_FILES)
    return {path.name: sha256_of_file(path) for path in files}


def sha256_of_model(folder: Path) -> str:
    """A model folder's hash: that of the tree of its model files."""
    return sha256_of_json(model_manifest(folder))
