"""The hub ports: models and datasets kept elsewhere, brought to this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


class ModelHub(Protocol):
    """A hub of model repositories."""

    async def fetch_model(self, repo: str, revision: str | None = None) -> HubModel:
        """Bring a model repository here, whole.

        Raises NotFound, AuthError, GatedError or Unavailable.
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
