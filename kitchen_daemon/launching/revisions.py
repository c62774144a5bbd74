"""Recipe revisions: the recipe's files as they were read, kept as a tree that runs are
pinned to.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kitchen_core.home import Home
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import RevisionRecord
from kitchen_core.store.store import Store
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.workflows.reading import RecipeReading

GIT_SECONDS = 5.0


@dataclass(frozen=True)
class _GitState:
    """Where a folder stands in its repository. diff: what is not committed, as text."""

    commit: str
    diff: str


def keep_revision(store: Store, home: Home, reading: RecipeReading) -> RevisionRecord:
    """Store the recipe's files as one tree, with the git commit and diff of their folder where
    there is one.
    """
    git = _git_state(Path(reading.path).parent)
    diff_sha256 = None
    with tempfile.TemporaryDirectory(dir=home.scratch) as scratch:
        if git is not None and git.diff:
            (Path(scratch) / "diff").write_text(git.diff)
            diff_sha256 = store.put_file(
                Path(scratch) / "diff", f"recipes/{reading.name}.diff"
            ).sha256
        revision = RevisionRecord(
            sha256=_kept_tree(store, Path(scratch) / "tree", reading),
            recipe=reading.name,
            source_path=reading.path,
            git_commit=git.commit if git else None,
            git_dirty=bool(git and git.diff),
            diff_sha256=diff_sha256,
            created_at=time.time(),
        )
    return store.put_revision(revision)


def revision_sha256(reading: RecipeReading) -> str:
    """The hash that the tree of the recipe's files has."""
    return sha256_of_json(
        {name: hashlib.sha256(content).hexdigest() for name, content in reading.sources.items()}
    )


def _kept_tree(store: Store, tree: Path, reading: RecipeReading) -> str:
    """The hash of the tree, which is in the store. Most recipes are launched more often than changed."""
    sha256 = revision_sha256(reading)
    with suppress(NotFound):
        if store.is_whole(store.find_artifact(sha256)):
            return sha256
    for name, content in reading.sources.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    return store.put_tree(tree, f"recipes/{reading.name}", move=True).sha256


def _git_state(folder: Path) -> _GitState | None:
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return _GitState(commit.strip(), _git(folder, "diff", "HEAD", "--", ".") or "")


def _git(folder: Path, *args: str) -> str | None:
    """What git says, or None where it has nothing to say."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *args],
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a diff may hold any bytes
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
