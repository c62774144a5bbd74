"""A hub over folders and rows that were put in by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kitchen_core.train.ports.errors import GatedError, InvalidRequest, NotFound
from kitchen_core.train.ports.hub import HubDataset, HubEntry, HubModel, Uploaded
from kitchen_core.train.types import Row

Splits = Mapping[str, Iterable[Row]]


class MemoryHub:
    """Repositories that exist only here; some may be gated."""

    def __init__(self) -> None:
        self._models: dict[str, HubModel] = {}
        self._datasets: dict[str, tuple[Mapping[str | None, Splits], str]] = {}
        self._gated: set[str] = set()
        self.cards: dict[str, str] = {}
        """The README.md of each model that was uploaded."""

    def put(self, repo: str, folder: Path, commit: str, *, gated: bool = False) -> None:
        """Let there be a model repository with this folder at this commit."""
        self._models[repo] = HubModel(folder, commit)
        if gated:
            self._gated.add(repo)

    def put_dataset(
        self, repo: str, subsets: Mapping[str | None, Splits], commit: str, *, gated: bool = False
    ) -> None:
        """Let there be a dataset repository with these subsets at this commit; None names that of a
        repository without names for them.
        """
        self._datasets[repo] = (subsets, commit)
        if gated:
            self._gated.add(repo)

    async def fetch_model(
        self, repo: str, revision: str | None = None, *, weights: bool = True
    ) -> HubModel:
        """The repository's folder, whole whether its weights are wanted or not. Raises NotFound or
        GatedError.
        """
        where = _where("model_hub", repo)
        if repo not in self._models:
            raise NotFound("there is no such repository", hint="Check the name.", **where)
        model = self._models[repo]
        self._check(repo, revision, model.commit, where)
        return model

    async def list_models(self, query: str, limit: int = 20) -> Sequence[HubEntry]:
        """Repositories whose name has `query` in it, in order of their names: none is used more than another."""
        found = sorted(repo for repo in self._models if query.lower() in repo.lower())
        return [HubEntry(repo, repo in self._gated, 0, None) for repo in found[:limit]]

    async def upload_model(
        self, folder: Path, repo: str, card: str, *, private: bool = True
    ) -> Uploaded:
        """Let the folder be a repository's, at a commit that its content gives. Raises InvalidRequest."""
        commit = _commit(folder, card)
        if commit is None:
            where = _where("model_hub", repo) | {"asked": f"upload to {repo}"}
            raise InvalidRequest(
                f"{folder} has no files to upload", hint="Give a model folder.", **where
            )
        self.put(repo, folder, commit)
        self.cards[repo] = card
        return Uploaded(f"memory:{repo}", commit)

    async def probe(self) -> str:
        """It is always there."""
        return "here"

    async def fetch_dataset(
        self, repo: str, revision: str | None = None, subset: str | None = None
    ) -> HubDataset:
        """The repository's rows. Raises NotFound, GatedError or InvalidRequest."""
        where = _where("dataset_hub", repo)
        if repo not in self._datasets:
            raise NotFound("there is no such repository", hint="Check the name.", **where)
        subsets, commit = self._datasets[repo]
        self._check(repo, revision, commit, where)
        if subset not in subsets:
            names = ", ".join(str(name) for name in subsets)
            raise InvalidRequest(
                f"{repo} has the subsets {names}", hint=f"Write hf:{repo}#SUBSET.", **where
            )
        return HubDataset(dict(subsets[subset]), commit)

    def _check(self, repo: str, revision: str | None, commit: str, where: dict[str, str]) -> None:
        if repo in self._gated:
            raise GatedError(
                "the repository is gated and you have not been let in",
                hint="Ask for access on its page.",
                **where,
            )
        if revision not in (None, "main", commit):
            raise NotFound("there is no such revision", hint="Check the commit.", **where)


def _where(port: str, repo: str) -> dict[str, str]:
    return {"port": port, "adapter": "memory", "asked": f"fetch {repo}"}


def _commit(folder: Path, card: str) -> str | None:
    """A name for a folder's content and its card; None where there is no content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha1(card.encode())
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest() if files else None
