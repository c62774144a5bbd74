"""Repositories of a hub as plain local folders."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi
from huggingface_hub.utils import disable_progress_bars, validate_repo_id

from kitchen_core.adapters.hugging_face.client import ask_once
from kitchen_core.adapters.hugging_face.failures import translated
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.train.ports.errors import Unavailable

log = logging.getLogger(__name__)

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Access:
    """Which hub, and as whom. token_env: the name of the secret that the token comes from."""

    endpoint: str
    token: str | None
    token_env: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository's files at one commit."""

    folder: Path
    commit: str


class Repositories(ABC):
    """Fetches into `folder/ORG/NAME/COMMIT`, where a folder appears only when it is complete.

    A subclass says what kind of repository, and which files of it are wanted.
    """

    kind: Literal["model", "dataset"]
    port: PortName

    def __init__(self, access: Access, folder: Path) -> None:
        disable_progress_bars()
        ask_once()
        self._api = HfApi(endpoint=access.endpoint, token=access.token or False)
        self._token_env = access.token_env
        self._folder = folder

    @abstractmethod
    def _wanted(self, names: list[str], download: Download) -> list[str]:
        """Those of the repository's files that are fetched."""

    async def _fetched(self, repo: str, revision: str | None, part: str | None = None) -> Fetched:
        """The repository, or a part of it that has a name, on this machine; a commit that is here
        already needs no network. Raises the hub's failures as PortErrors.
        """
        with translated(self.port, f"fetch {repo}", self._token_env):
            validate_repo_id(repo)  # before it becomes part of a path
            if revision and _COMMIT.fullmatch(revision):
                place = self._place(repo, revision, part)
                if place.is_dir():
                    return Fetched(place, revision)
            return await asyncio.to_thread(self._fetch, repo, revision, part)

    def _place(self, repo: str, commit: str, part: str | None) -> Path:
        return self._folder / repo / (f"{commit}+{part}" if part else commit)

    def _fetch(self, repo: str, revision: str | None, part: str | None) -> Fetched:
        # Asked first: with files from an earlier attempt at hand, a refused download passes for a complete one.
        self._api.auth_check(repo, repo_type=self.kind)
        ask = self._api.model_info if self.kind == "model" else self._api.dataset_info
        info = ask(repo, revision=revision)
        commit = str(info.sha)
        place = self._place(repo, commit, part)
        if not place.is_dir():
            partial = place.with_name(f"{place.name}.partial")
            download = Download(self._api, self.kind, repo, commit, part, partial)
            names = self._wanted([file.rfilename for file in info.siblings or []], download)
            download.all(names)
            partial.rename(place)
        return Fetched(place, commit)


@dataclass(frozen=True, slots=True)
class Download:
    """One download under way, into `folder`."""

    api: HfApi
    kind: Literal["model", "dataset"]
    repo: str
    commit: str
    part: str | None
    folder: Path

    def one(self, name: str) -> Path:
        """A single file, ahead of the others."""
        self.api.hf_hub_download(
            self.repo, name, revision=self.commit, repo_type=self.kind, local_dir=self.folder
        )
        return self.folder / name

    def all(self, names: list[str]) -> None:
        """These files, complete. Raises Unavailable."""
        log.info("fetching %s at %s: %d files", self.repo, self.commit[:7], len(names))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.api.snapshot_download(
            self.repo,
            revision=self.commit,
            repo_type=self.kind,
            local_dir=self.folder,
            allow_patterns=names,
        )
        missing = [name for name in names if not (self.folder / name).is_file()]
        if missing:
            raise Unavailable(
                f"the download of {self.repo} is incomplete: {missing[0]} is missing",
                hint="Try again; what has arrived is kept.",
            )
        shutil.rmtree(self.folder / ".cache", ignore_errors=True)  # the client's own notes
