"""Recipe revisions: the recipe's files as they were at submission, kept as a tree that runs are
pinned to.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from kitchen_core.home import Home
from kitchen_core.store.records import RevisionRecord
from kitchen_core.store.store import Store
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
    folder = Path(reading.path).parent
    with tempfile.TemporaryDirectory(dir=home.scratch) as scratch:
        tree = Path(scratch) / "tree"
        for file in reading.files:
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file, tree / file)
        stored = store.put_tree(tree, f"recipes/{reading.name}", move=True)
        git = _git_state(folder)
        diff_sha256 = None
        if git is not None and git.diff:
            (Path(scratch) / "diff").write_text(git.diff)
            diff_sha256 = store.put_file(
                Path(scratch) / "diff", f"recipes/{reading.name}.diff"
            ).sha256
    revision = RevisionRecord(
        sha256=stored.sha256,
        recipe=reading.name,
        source_path=reading.path,
        git_commit=git.commit if git else None,
        git_dirty=bool(git and git.diff),
        diff_sha256=diff_sha256,
        created_at=time.time(),
    )
    store.put_revision(revision)
    return revision


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
