"""Where refs lead: what the resolver asks to find models and data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kitchen_core.train.types import Row


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model tree in the artifact store.

    base: the ref of the model that an adapter tree belongs to, as its run had pinned it, if it is
    an adapter. base_sha256: what that model's content was, where the pin says so.
    """

    sha256: str
    path: Path
    name: str
    base: str | None = None
    base_sha256: str | None = None


class Builtins(Protocol):
    """The embedded model and data."""

    def model_folder(self, name: str) -> Path:
        """The folder of an embedded model. Raises ValueError naming those that exist."""
        ...

    def dataset_rows(self, name: str, split: Literal["train", "test"]) -> list[Row]:
        """The rows of an embedded dataset. Raises ValueError naming those that exist."""
        ...


class StoredModels(Protocol):
    """Models that runs have made."""

    def of_run(self, run: str) -> StoredModel:
        """The final model of a run, by id. Raises NotFound."""
        ...

    def of_artifact(self, sha256: str) -> StoredModel:
        """A stored model tree. Raises NotFound."""
        ...

    def of_registry(self, name: str, version: str) -> StoredModel:
        """A registered model by version or alias. Raises NotFound."""
        ...
