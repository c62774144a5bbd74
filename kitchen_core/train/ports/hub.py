"""The hub port: models kept elsewhere, brought to a local folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model repository at one commit, as a local folder."""

    folder: Path
    commit: str


class ModelHub(Protocol):
    """A hub of model repositories."""

    async def fetch_model(self, repo: str, revision: str | None = None) -> HubModel:
        """Bring a model repository here, whole.

        Raises NotFound, AuthError, GatedError or Unavailable.
        """
        ...
