"""Labels and manifests as a blob store gives them back. Others may write to it, so they are held against what
a push writes before anything is done about them.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from pydantic import ValidationError

from kitchen_core.refs import RefError, parse_ref
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_daemon.transfers.parcels import Label

MOST_MANIFEST_BYTES = 64 * 2**20
"""Of a tree with a third of a million files."""

_LONGEST_NAME = 255  # bytes, of a file on every file system
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAME_EVERYWHERE = ("hf", "builtin", "artifact")


def read_label(note: str, sha256: str, place: str) -> Label:
    """The label of an artifact. Raises InvalidRequest for what no push writes."""
    try:
        label = Label.model_validate_json(note)
    except ValidationError:
        label = None
    if label is None or not _is_good(label):
        raise refused(f"the label of {sha256[:12]} at {place}", "can't be read")
    return label


def read_manifest(content: bytes, sha256: str) -> dict[str, str]:
    """A tree's files and their hashes. Raises InvalidRequest where the content is no such thing."""
    try:
        hashes = json.loads(content)
    except ValueError:
        hashes = None
    if not isinstance(hashes, dict) or not all(map(is_sha256, hashes.values())):
        raise refused(sha256[:12], "is no manifest of a tree")
    _check_paths(list(hashes))
    return hashes


def is_sha256(text: object) -> bool:
    """Whether it is a whole SHA-256 in hex."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def refused(what: str, why: str) -> InvalidRequest:
    """The error for something that no push has left there."""
    return InvalidRequest(f"{what} {why}", hint="Push it again from where it was made.")


def _is_good(label: Label) -> bool:
    return (
        bool(label.name)
        and label.name.isprintable()
        and label.size_bytes >= 0
        and (label.base is None or _means_the_same_here(label.base.ref))
    )


def _means_the_same_here(base: str) -> bool:
    """Whether a ref leads to the same model on every machine; a push names no other."""
    try:
        ref = parse_ref(base)
    except RefError:
        return False
    return ref.kind in _SAME_EVERYWHERE and (ref.kind != "artifact" or is_sha256(ref.name))


def _check_paths(paths: list[str]) -> None:
    """Check that these can be the files of one tree, all of them inside of it."""
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    for path in paths:
        inside = PurePosixPath(path)
        if inside.is_absolute() or not inside.parts or ".." in inside.parts or "\0" in path:
            raise refused("a file of this tree", f"would lie outside of it: {path!r}")
        if str(inside) != path or path in folders or not _is_name_of_files(inside):
            raise refused("a file of this tree", f"can't have the name {path!r}")


def _is_name_of_files(path: PurePosixPath) -> bool:
    """A name that a terminal shows as it is, and a file system takes."""
    return str(path).isprintable() and all(
        len(part.encode()) <= _LONGEST_NAME for part in path.parts
    )
