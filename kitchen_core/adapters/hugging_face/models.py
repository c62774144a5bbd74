"""The model hub port: weights, tokenizer and template of a repository as a local folder."""

from __future__ import annotations

from fnmatch import fnmatch

from kitchen_core.adapters.hugging_face.repositories import Download, Repositories
from kitchen_core.train.ports.hub import HubModel

_WANTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "*.spm")
"""Weights, tokenizer and template. Pickles and other formats stay where they are."""


class HuggingFaceModels(Repositories):
    """Fetches models."""

    kind = "model"
    port = "model_hub"

    async def fetch_model(
        self, repo: str, revision: str | None = None, *, weights: bool = True
    ) -> HubModel:
        """Bring a model repository here. Raises NotFound, AuthError, GatedError or Unavailable.

        A commit that is here already needs no network.
        """
        fetched = await self._fetched(repo, revision)
        return HubModel(fetched.folder, fetched.commit)

    def _wanted(self, names: list[str], download: Download) -> list[str]:
        return [name for name in names if _is_wanted(name)]


def _is_wanted(name: str) -> bool:
    return "/" not in name and any(fnmatch(name, pattern) for pattern in _WANTED)
