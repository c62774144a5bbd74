"""The model hub port: weights, tokenizer and template of a repository as a local folder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub.utils import validate_repo_id

from kitchen_core.adapters.hugging_face.download import Download
from kitchen_core.adapters.hugging_face.failures import translated
from kitchen_core.adapters.hugging_face.repositories import Repositories, Wish
from kitchen_core.adapters.hugging_face.uploads import upload
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.ports.hub import HubEntry, HubModel, Uploaded

READING = "reading"
"""The part of a model that says how it reads and how it is built."""

_READING = ("*.json", "*.jinja", "*.txt", "tokenizer.model", "*.spm")
_WEIGHTS = ("*.safetensors",)
"""Pickles and other formats stay where they are."""


class HuggingFaceModels(Repositories):
    """Fetches, finds and uploads models."""

    kind = "model"
    port = "model_hub"

    async def fetch_model(
        self, repo: str, revision: str | None = None, *, weights: bool = True
    ) -> HubModel:
        """Bring a model repository here, or only what says how it reads and how it is built.

        A commit that is here already needs no network. Raises NotFound, AuthError, GatedError or
        Unavailable.
        """
        ref = f"hf:{repo}@COMMIT"
        whole = Wish(repo, revision, None, ref)
        reading = Wish(repo, revision, READING, ref, instead=(None,))
        fetched = await self._fetched(whole if weights else reading)
        return HubModel(fetched.folder, fetched.commit)

    async def list_models(self, query: str, limit: int = 20) -> Sequence[HubEntry]:
        """Repositories whose name has `query` in it, those used most first. Raises Unavailable."""
        with translated(self._asking(f"list models like {query}")):
            return await asyncio.to_thread(self._list, query, limit)

    async def upload_model(
        self, folder: Path, repo: str, card: str, *, private: bool = True
    ) -> Uploaded:
        """Take a model folder to a repository in one commit, but for pickles and hidden files.

        Raises AuthError, GatedError, InvalidRequest or Unavailable; then no file has changed there.
        """
        asking = self._asking(f"upload to {repo}", repo)
        with translated(asking):
            _check_has_owner(repo)
            return await asyncio.to_thread(upload, self._api, asking, folder, card, private)

    def _list(self, query: str, limit: int) -> list[HubEntry]:
        found = self._api.list_models(
            search=query,
            sort="downloads",
            limit=limit,
            expand=["downloads", "gated", "lastModified"],
        )
        return [
            HubEntry(
                each.id,
                bool(each.gated),
                each.downloads or 0,
                each.last_modified.timestamp() if each.last_modified else None,
            )
            for each in found
        ]

    def _wanted(self, names: list[str], download: Download) -> list[str]:
        patterns = _READING if download.part == READING else _READING + _WEIGHTS
        return [name for name in names if "/" not in name and _matches(name, patterns)]

    def _complete(self, download: Download) -> None:
        """A model stays as it came."""


def _check_has_owner(repo: str) -> None:
    validate_repo_id(repo)
    if "/" not in repo:
        raise InvalidRequest(
            f"'{repo}' names no owner; write ORG/NAME", hint=f"For example me/{repo}."
        )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
