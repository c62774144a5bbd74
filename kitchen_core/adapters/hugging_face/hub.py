"""The hub port: a repository at one commit becomes a plain local folder."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

import platformdirs
from huggingface_hub import HfApi
from huggingface_hub.utils import disable_progress_bars, validate_repo_id

from kitchen_core.adapters.hugging_face.failures import translated
from kitchen_core.train.ports.errors import Unavailable
from kitchen_core.train.ports.hub import HubModel

log = logging.getLogger(__name__)

_WANTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "*.spm")
"""Weights, tokenizer and template. Pickles and other formats stay where they are."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


class HuggingFaceHub:
    """Fetches models into `folder/ORG/NAME/COMMIT`, where a folder appears only when it is complete."""

    def __init__(
        self, *, endpoint: str, token: str | None, token_env: str, folder: Path | None
    ) -> None:
        disable_progress_bars()
        self._api = HfApi(endpoint=endpoint, token=token or False)
        self._token_env = token_env
        self._folder = folder or platformdirs.user_cache_path("crucible-kitchen") / "models"

    async def fetch_model(self, repo: str, revision: str | None = None) -> HubModel:
        """Bring a model repository here, whole. Raises NotFound, AuthError, GatedError or Unavailable.

        A commit that is here already needs no network.
        """
        with translated(f"fetch {repo}", self._token_env):
            validate_repo_id(repo)  # before it becomes part of a path
            if revision and _COMMIT.fullmatch(revision) and self._place(repo, revision).is_dir():
                return HubModel(self._place(repo, revision), revision)
            return await asyncio.to_thread(self._fetch, repo, revision)

    def _place(self, repo: str, commit: str) -> Path:
        return self._folder / repo / commit

    def _fetch(self, repo: str, revision: str | None) -> HubModel:
        # Asked first: with files from an earlier attempt at hand, a refused download passes for a complete one.
        self._api.auth_check(repo)
        info = self._api.model_info(repo, revision=revision)
        commit = str(info.sha)
        if not self._place(repo, commit).is_dir():
            names = [file.rfilename for file in info.siblings or []]
            self._download(repo, commit, [name for name in names if _is_wanted(name)])
        return HubModel(self._place(repo, commit), commit)

    def _download(self, repo: str, commit: str, names: list[str]) -> None:
        partial = self._place(repo, f"{commit}.partial")
        log.info("fetching %s at %s: %d files", repo, commit[:7], len(names))
        self._api.snapshot_download(repo, revision=commit, local_dir=partial, allow_patterns=names)
        missing = [name for name in names if not (partial / name).is_file()]
        if missing:
            raise Unavailable(
                f"the download of {repo} is incomplete: {missing[0]} is missing",
                hint="Try again; what has arrived is kept.",
            )
        shutil.rmtree(partial / ".cache", ignore_errors=True)  # the client's own notes
        partial.rename(self._place(repo, commit))


def _is_wanted(name: str) -> bool:
    return "/" not in name and any(fnmatch(name, pattern) for pattern in _WANTED)
