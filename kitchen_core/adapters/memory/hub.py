"""A model hub over folders that were put in by hand."""

from __future__ import annotations

from pathlib import Path

from kitchen_core.train.ports.errors import GatedError, NotFound
from kitchen_core.train.ports.hub import HubModel


class MemoryHub:
    """Repositories that exist only here; some may be gated."""

    def __init__(self) -> None:
        self._repos: dict[str, HubModel] = {}
        self._gated: set[str] = set()

    def put(self, repo: str, folder: Path, commit: str, *, gated: bool = False) -> None:
        """Let there be a repository with this folder at this commit."""
        self._repos[repo] = HubModel(folder, commit)
        if gated:
            self._gated.add(repo)

    async def fetch_model(self, repo: str, revision: str | None = None) -> HubModel:
        """The repository's folder. Raises NotFound or GatedError."""
        where = {"port": "model_hub", "adapter": "memory", "asked": f"fetch {repo}"}
        if repo not in self._repos:
            raise NotFound("there is no such repository", hint="Check the name.", **where)
        if repo in self._gated:
            raise GatedError(
                "the repository is gated and you have not been let in",
                hint="Ask for access on its page.",
                **where,
            )
        model = self._repos[repo]
        if revision not in (None, "main", model.commit):
            raise NotFound("there is no such revision", hint="Check the commit.", **where)
        return model
