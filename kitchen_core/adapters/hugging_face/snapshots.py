"""What lies on this machine of a hub's repositories: a folder for each commit, complete or not there.

    ORG/NAME/COMMIT            a repository whole
    ORG/NAME/COMMIT+PART       the part of it that was asked for
    ORG/NAME/COMMIT.partial    what an attempt has left; the next one goes on from it

A complete folder says in `.files` what belongs in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

RECORD = ".files"  # without a suffix: all `*.json` of a model folder is part of the model
COMMIT = re.compile(r"[0-9a-f]{40}")


class Snapshots:
    """The snapshots of one repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, commit: str, part: str | None) -> Path:
        """Where a commit's files lie, or are to lie."""
        return self.folder / (f"{commit}+{quote(part, safe='')}" if part else commit)

    def find(self, commit: str, parts: Sequence[str | None]) -> Path | None:
        """The first of these parts of a commit that is here and whole."""
        for part in parts:
            place = self.place(commit, part)
            if place.is_dir() and what_is_wrong(place) is None:
                return place
        return None

    def newest(self, parts: Sequence[str | None]) -> str | None:
        """The commit that came here last, of those that are here and whole."""
        if not self.folder.is_dir():
            return None
        commits = {path.name[:40] for path in self.folder.iterdir()}
        found = [
            (commit, self.find(commit, parts)) for commit in commits if COMMIT.fullmatch(commit)
        ]
        dated = [(place.stat().st_mtime, commit) for commit, place in found if place is not None]
        return max(dated)[1] if dated else None


def write_record(folder: Path, names: Iterable[str]) -> None:
    """Note in a folder which files, of how many bytes, belong in it."""
    sizes = {name: (folder / name).stat().st_size for name in sorted(names)}
    (folder / RECORD).write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")


def what_is_wrong(folder: Path) -> str | None:
    """What a look at a folder finds missing or cut short, in words; None where all is there."""
    try:
        sizes = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "nothing says which files belong in it"
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes and not {size}"
    return None
