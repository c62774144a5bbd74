"""A hub over folders and rows that were put in by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kitchen_core.train.ports.errors import GatedError, InvalidRequest, NotFound
from kitchen_core.train.ports.hub import HubDataset, HubModel
from kitchen_core.train.types import Row

Splits = Mapping[str, Iterable[Row]]


class MemoryHub:
    """Repositories that exist only here; some may be gated."""

    def __init__(self) -> None:
        self._models: dict[str, HubModel] = {}
        self._datasets: dict[str, tuple[Mapping[str | None, Splits], str]] = {}
        self._gated: set[str] = set()

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
