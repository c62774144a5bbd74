"""The hub ports: models and datasets kept elsewhere, brought to this machine, and models taken there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kitchen_core.train.types import Row


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model repository at one commit, as a local folder."""

    folder: Path
    commit: str


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A dataset repository at one commit: the rows of each split, which can be gone through again
    and again and are read as they are asked for.
    """

    splits: Mapping[str, Iterable[Row]]
    commit: str


@dataclass(frozen=True, slots=True)
class HubEntry:
    """A repository as a list shows it. changed_at: seconds since the epoch, None where the hub does
    not say. gated: whether one has to be let in.
    """

    repo: str
    gated: bool
    downloads: int
    changed_at: float | None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A model that was taken to the hub: its page, and the commit that it became."""

    url: str
    commit: str


class ModelHub(Protocol):
    """A hub of model repositories."""

    async def fetch_model(
        self, repo: str, revision: str | None = None, *, weights: bool = True
    ) -> HubModel:
        """Bring a model repository here. weights: whole; else only what says how the model reads and
        how it is built: tokenizer, chat template, config.

        Raises NotFound, AuthError, GatedError or Unavailable.
        """
        ...

    async def list_models(self, query: str, limit: int = 20) -> Sequence[HubEntry]:
        """Repositories whose name has `query` in it, those used most first. Raises Unavailable."""
        ...

    async def upload_model(
        self, folder: Path, repo: str, card: str, *, private: bool = True
    ) -> Uploaded:
        """Take a model folder to a repository, in one commit; the repository is made where there is
        none, and an existing one keeps whether it is private. card: its README.md, with its front
        matter.

        Raises AuthError, GatedError, InvalidRequest or Unavailable; then no file has changed there,
        though an empty repository may have been made.
        """
        ...


class DatasetHub(Protocol):
    """A hub of dataset repositories."""

    async def fetch_dataset(
        self, repo: str, revision: str | None = None, subset: str | None = None
    ) -> HubDataset:
        """Bring a dataset's files here, whole. subset: which of its configurations, where it has
        several.

        Raises NotFound, AuthError, GatedError, Unavailable, or InvalidRequest for one that can't be
        read without running its own code. Iterating a split raises InvalidRequest naming the row.
        """
        ...
