"""Content on disk: files and trees under `artifacts/`, named by their SHA-256.

    artifacts/file/ab/ab12...          a file
    artifacts/tree/cd/cd34.../         a tree, a plain folder
    artifacts/tmp/<random>/            one put or removal at work, held by its process

Content is written and fsynced in a workspace of its own and then renamed to its place, so what has a name is
whole. This module knows nothing of rows: `artifacts` publishes content inside the transaction of its row.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from kitchen_core.content import sha256_of_file, sha256_of_tree, tree_manifest
from kitchen_core.folder_locks import claim_folder, remove_unheld
from kitchen_core.store.errors import StoreError, StoreFull
from kitchen_core.train.hashing import sha256_of_json

ContentKind = Literal["file", "tree"]

_KINDS: tuple[ContentKind, ...] = ("file", "tree")
_COPY_BYTES = 1 << 20
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NotStorable(StoreError):  # noqa: N818 - named by what happened
    """A file or folder that can't be content: a link, a device, a name that is not text."""


class Content(NamedTuple):
    """Bytes that are whole and on the disk, at `path`, on their way to their place."""

    kind: ContentKind
    sha256: str
    size_bytes: int
    path: Path


class ContentStore:
    """The `artifacts` folder of a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "artifacts"
        self._workspaces = self.root / "tmp"

    def relative_path(self, kind: ContentKind, sha256: str) -> str:
        """Where content lies, from the home on."""
        return f"artifacts/{kind}/{sha256[:2]}/{sha256}"

    def place(self, kind: ContentKind, sha256: str) -> Path:
        """Where content lies, or would."""
        return self.home / self.relative_path(kind, sha256)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A folder for one job, gone after it. Raises StoreFull where the disk takes no more."""
        try:
            folder, held = claim_folder(self._workspaces)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)
        except OSError as error:
            if error.errno in _NO_SPACE and not isinstance(error, StoreFull):
                raise StoreFull(self.home, error) from error
            raise

    def prepare(
        self, kind: ContentKind, source: Path, workspace: Path, *, move: bool = False
    ) -> Content:
        """Bring a file or folder into the workspace and onto the disk. Files are copied; folders too, unless `move`.

        Raises NotStorable for links, devices and names that are not UTF-8, anywhere in it.
        """
        if kind == "file":
            return self._prepare_file(source, workspace)
        return self._prepare_tree(source, workspace, move)

    def make_way(self, content: Content, workspace: Path) -> None:
        """Take away what lies at the place of prepared content and is not that content any more."""
        place = self.place(content.kind, content.sha256)
        if place.exists() and not self.is_whole(content.kind, content.sha256):
            self.withdraw(content.kind, content.sha256, workspace)

    def is_whole(self, kind: ContentKind, sha256: str) -> bool:
        """Whether content lies at its place and still has its hash."""
        place = self.place(kind, sha256)
        if not place.exists():
            return False
        return (sha256_of_tree(place) if kind == "tree" else sha256_of_file(place)) == sha256

    def publish(self, content: Content) -> Path:
        """Give prepared content its name; content that is there already stays. Returns its place."""
        place = self.place(content.kind, content.sha256)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            content.path.rename(place)
            _sync(place.parent)
            _sync(place.parent.parent)
        return place

    def withdraw(self, kind: ContentKind, sha256: str, workspace: Path) -> bool:
        """Take content from its place into a workspace, with which it goes; False where it was gone already."""
        try:
            self.place(kind, sha256).rename(workspace / sha256)
        except FileNotFoundError:
            return False
        return True

    def places(self) -> Iterator[tuple[ContentKind, str]]:
        """Everything that lies in a place."""
        for kind in _KINDS:
            for place in (self.root / kind).glob("??/*"):
                yield kind, place.name

    def sweep(self) -> int:
        """Delete the workspaces of processes that died; returns how many."""
        return sum(remove_unheld(folder) for folder in self._workspaces.glob("*"))

    def _prepare_file(self, source: Path, workspace: Path) -> Content:
        _require_plain(source)
        copy = workspace / "file"
        sha256, size = _copied(source, copy)
        return Content("file", sha256, size, copy)

    def _prepare_tree(self, source: Path, workspace: Path, move: bool) -> Content:
        _require_plain_tree(source)
        tree = workspace / "tree"
        if not (move and _renamed(source, tree)):
            _copy_tree(source, tree)
            if move:
                shutil.rmtree(source)
        manifest = tree_manifest(tree)
        for path in (tree, *tree.rglob("*")):
            _sync(path)
        size = sum((tree / path).stat().st_size for path in manifest)
        return Content("tree", sha256_of_json(manifest), size, tree)


def _require_plain(path: Path) -> None:
    """Raise NotStorable unless this is a regular file."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise NotStorable(f"{path} is a symbolic link: store what it points to")
    if not stat.S_ISREG(mode):
        raise NotStorable(f"{path} is not a regular file")


def _require_plain_tree(folder: Path) -> None:
    """Raise NotStorable unless this is a folder of folders and regular files with names in UTF-8."""
    if folder.is_symlink() or not folder.is_dir():
        raise NotStorable(f"{folder} is not a folder")
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            _require_plain(path)
        try:
            path.name.encode()
        except UnicodeEncodeError:
            raise NotStorable(f"{path!r} has a name that is not UTF-8") from None


def _copied(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file onto the disk; the SHA-256 and size of what was copied."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(_COPY_BYTES):
            digest.update(block)
            size += writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest(), size


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's files; unlike shutil.copytree it stops at the first error and says which it was."""
    target.mkdir()
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            _copied(path, copy)


def _renamed(source: Path, target: Path) -> bool:
    """Rename a folder; False where it lies on another file system."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
