"""What a hub says is in a repository, and whether a file here is that."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from kitchen_core.adapters.hugging_face.access import Kind

_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as the hub lists it. sha256: of a large file's content; blob: the id that git has for a
    small one.
    """

    path: str
    size: int
    sha256: str | None
    blob: str

    def is_at(self, path: Path) -> bool:
        """Whether this very content lies at a path."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256 is not None:
            return _digest(path, hashlib.sha256()) == self.sha256
        # git's id of content: SHA-1 over a header and the bytes
        return _digest(path, hashlib.sha1(b"blob %d\0" % self.size)) == self.blob


def list_files(api: HfApi, kind: Kind, repo: str, commit: str) -> dict[str, ListedFile]:
    """Everything that a repository has at a commit, by path."""
    found = api.list_repo_tree(repo, recursive=True, revision=commit, repo_type=kind)
    return {
        file.path: ListedFile(
            file.path, file.size, file.lfs.sha256 if file.lfs else None, file.blob_id
        )
        for file in found
        if isinstance(file, RepoFile)
    }


def _digest(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
