"""What the store gives and takes: plain typed records, apart from the tables.

Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from kitchen_core.telemetry.ports import ArtifactRecord
from kitchen_core.telemetry.schema import Intent, RunError, RunStatus


class Record(BaseModel):
    """A row, read."""

    model_config = ConfigDict(frozen=True)


class NewRun(Record):
    """A submission. It goes to the queue, or is held for `reason` until somebody queues it.

    adapters: what was asked for beside the manifest. wiring: the manifest as it was then, resolved.
    """

    name: str
    recipe: str
    workflow: str
    status: Literal[RunStatus.QUEUED, RunStatus.HELD] = RunStatus.QUEUED
    reason: str | None = None
    preset: str | None = None
    manifest: str = "dev"
    adapters: dict[str, str] = Field(default_factory=dict)
    wiring: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    config: dict[str, Any] = Field(default_factory=dict)
    config_hash: str = ""
    pins: dict[str, Any] = Field(default_factory=dict)
    recipe_revision: str | None = None
    priority: int = 0
    after: list[str] = Field(default_factory=list)
    parents: list[str] = Field(default_factory=list)
    retry_of: str | None = None
    total_steps: int | None = None


class RunRecord(NewRun):
    """A run as it stands. attempt: the current one, 0 before the first. progress_step: optimizer steps done."""

    id: str
    status: RunStatus  # type: ignore[assignment]  # a submission is queued or held, a run anything
    attempt: int
    intent: Intent | None
    progress_step: int
    eta_s: float | None
    error: RunError | None
    created_at: float
    started_at: float | None
    finished_at: float | None


class AttemptRecord(Record):
    """One worker process that had a run; open while `ended_at` is None."""

    run_id: str
    number: int
    pid: int
    pid_started_at: float
    boot_id: str
    log_path: str
    started_at: float
    ended_at: float | None
    exit_code: int | None
    schema_version: int


class StoredArtifact(Record):
    """A name that a run gave to content, or nobody did (run_id None). path: where the content lies."""

    run_id: str | None
    name: str
    kind: Literal["file", "tree"]
    sha256: str
    size_bytes: int
    path: Path
    step: int | None
    created_at: float
    removed_at: float | None

    def as_record(self) -> ArtifactRecord:
        """The part that a run is told."""
        return ArtifactRecord(
            self.sha256, self.name, self.kind, self.size_bytes, self.path, self.step
        )


class AdapterBaseRecord(Record):
    """The model that an adapter belongs to: a ref, and what its content was, where that is known."""

    ref: str
    sha256: str | None


class ModelVersionRecord(Record):
    """One version of a registered model, with the aliases that point to it."""

    name: str
    version: int
    artifact_sha256: str
    run_id: str | None
    aliases: list[str]
    created_at: float


class RevisionRecord(Record):
    """A recipe's source as it was: the SHA-256 of its tree, and where it came from."""

    sha256: str
    recipe: str
    source_path: str
    git_commit: str | None = None
    git_dirty: bool = False
    diff_sha256: str | None = None
    created_at: float


class ScheduleRecord(Record):
    """A submission that waits for its time. trigger: how the times are told; next_at None means never again."""

    id: str
    name: str
    recipe: str
    payload: dict[str, Any]
    trigger: str
    enabled: bool = True
    next_at: float | None = None
    last_at: float | None = None
    created_at: float


class Edge(NamedTuple):
    """`target` came out of `source`, both node ids."""

    source: str
    target: str
    role: str


class Bucket(NamedTuple):
    """A stretch of a series for a chart: the first and last step in it, and its values' range and end.

    The values are None where no value in the stretch was finite.
    """

    step_first: int
    step_last: int
    min: float | None
    max: float | None
    last: float | None


def json_text(value: Any) -> str:
    """JSON for a column; what JSON has no number for becomes null."""
    return to_json(value, inf_nan_mode="null").decode()


def decoded(row: sqlite3.Row, *json_columns: str) -> dict[str, Any]:
    """A row as a dict, its JSON columns read."""
    values: dict[str, Any] = dict(row)
    for column in json_columns:
        values[column] = json.loads(values[column]) if values[column] is not None else None
    return values


def insert_sql(table: str, values: Mapping[str, Any]) -> str:
    """The statement that inserts these columns by name."""
    columns = ", ".join(f'"{column}"' for column in values)
    places = ", ".join(f":{column}" for column in values)
    return f"INSERT INTO {table} ({columns}) VALUES ({places})"
