"""Pinning: what the refs of a submission mean now, so that the run means the same whenever it
starts.

A pin is another ref (the run or the artifact that a movable name led to) or the SHA-256 of content
that could be edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kitchen_core import builtin
from kitchen_core.config import RefRole
from kitchen_core.content import sha256_of_file, sha256_of_model
from kitchen_core.refs import Ref, RefError, check_role, parse_ref
from kitchen_core.store.records import RunRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_core.train.hashing import sha256_of_rows
from kitchen_core.train.model_folder import ModelFacts, inspect_model_folder

LOST = (RunStatus.FAILED, RunStatus.CANCELLED)


@dataclass
class Pins:
    """What a submission's refs were pinned to, and the runs that it comes from."""

    by_ref: dict[str, str] = field(default_factory=dict)
    parents: list[RunRecord] = field(default_factory=list)

    @property
    def unfinished(self) -> list[str]:
        """The ids of parents that have to complete first."""
        return [run.id for run in self.parents if run.status is not RunStatus.COMPLETED]


class Pinner:
    """Pins refs against one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pin(self, refs: Mapping[str, RefRole]) -> Pins:
        """Pin `{ref: role}`.

        Raises RefError, or a port's error for a model folder that can't be loaded.
        """
        pins = Pins()
        for text, role in refs.items():
            ref = parse_ref(text)
            check_role(ref, role)
            if ref.kind == "run":
                parent = self._run(ref)
                pins.parents.append(parent)
                pins.by_ref[text] = f"run:{parent.id}"
            elif (pin := self._content(ref, role)) is not None:
                pins.by_ref[text] = pin
        return pins

    def model_facts(self, text: str) -> ModelFacts | None:
        """What the base model behind a ref is; None where that is not known before it is fetched."""
        folder = self.base_folder(text)
        return None if folder is None else inspect_model_folder(folder)

    def base_folder(self, text: str) -> Path | None:
        """Where the base model behind a ref lies; None where that is not known before it is fetched."""
        ref = parse_ref(text)
        match ref.kind:
            case "builtin":
                return _builtin_model(ref.name)
            case "file":
                return Path(ref.name)
            case "run":
                parent = self._run(ref)
                model = parent.config["model"]
                pin = parent.pins.get(model, "")
                return self.base_folder(pin if ":" in pin else model)
            case _:
                return None

    def _run(self, ref: Ref) -> RunRecord:
        """The run that a ref means; `RECIPE@latest` is the newest that has completed or still
        may.
        """
        if ref.selector is None:
            return self._store.find_run(ref.name)
        if ref.selector != "latest":
            raise RefError(f"'{ref}': write run:ID or run:RECIPE@latest")
        newest = self._store.newest_run(ref.name, unlike=LOST)
        if newest is not None:
            return newest
        raise RefError(f"'{ref}': recipe {ref.name} has no run yet; run it first")

    def _content(self, ref: Ref, role: str) -> str | None:
        match ref.kind:
            case "builtin" if role == "model":
                return sha256_of_model(_builtin_model(ref.name))
            case "builtin":
                return _builtin_rows(ref.name)
            case "file" if role == "model":
                inspect_model_folder(Path(ref.name))
                return sha256_of_model(Path(ref.name))
            case "file":
                return _file(Path(ref.name))
            case "artifact":
                return f"artifact:{self._store.find_artifact(ref.name).sha256}"
            case "model":
                version = self._store.resolve(ref.name, ref.selector or "latest")
                return f"artifact:{version.artifact_sha256}"
            case _:
                return None


def _builtin_model(name: str) -> Path:
    try:
        return builtin.model_folder(name)
    except ValueError as error:
        raise RefError(str(error)) from None


def _builtin_rows(name: str) -> str:
    try:
        train = builtin.dataset_rows(name, "train")
        return sha256_of_rows([*train, *builtin.dataset_rows(name, "test")])
    except ValueError as error:
        raise RefError(str(error)) from None


def _file(path: Path) -> str:
    if path.is_dir():
        raise RefError(
            f"{path} is a folder; give a dataset file (jsonl, json, parquet, csv, arrow)"
        )
    try:
        return sha256_of_file(path)
    except FileNotFoundError:
        raise RefError(f"there is no file {path}") from None
    except OSError as error:
        raise RefError(f"{path} can't be read: {error.strerror}") from None
