"""What the store gives and takes: plain typed records, apart from the tables.

Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from kitchen_core.needs import EVERY_GROUP as EVERY_GROUP
from kitchen_core.needs import MAIN_GROUP, Needs, Placement
from kitchen_core.telemetry.ports import ArtifactRecord
from kitchen_core.telemetry.schema import Intent, PausedFor, RunError, RunStatus

Missed: TypeAlias = Literal["once", "all", "skip"]
AtClose: TypeAlias = Literal["pause", "finish"]


class Record(BaseModel):
    """A row, read."""

    model_config = ConfigDict(frozen=True)


class NewRun(Record):
    """A submission. It goes to the queue, or is held for `reason` until somebody queues it.

    adapters: what was asked for beside the manifest. wiring: the manifest as it was then, resolved. after: runs
    that have to complete first; after_any: that have to end, however. is_held: until somebody lets it go.
    not_before: seconds since the epoch. window: only while that one is open. preempts: it may make runs of lower
    priority go aside. max_retries: how often it goes on by itself where it was interrupted. schedule_id and
    scheduled_at: the firing that made it.
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
    queue_group: str = MAIN_GROUP
    is_held: bool = False
    after_any: list[str] = Field(default_factory=list)
    not_before: float | None = None
    window: str | None = None
    preempts: bool = False
    needs: Needs = Needs()
    max_retries: int = 0
    schedule_id: str | None = None
    scheduled_at: float | None = None


class RunRecord(NewRun):
    """A run as it stands. attempt: the current one, 0 before the first. progress_step: optimizer steps done.

    rank: its place among runs of the same priority, the lowest first. retries: how often it went on by itself.
    paused_for: why the kitchen paused it, which lets it go on later by itself; None where a user did.
    """

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
    rank: float
    retries: int
    paused_for: PausedFor | None

    @property
    def is_set_aside(self) -> bool:
        """Whether the kitchen has paused it."""
        return self.status is RunStatus.PAUSED and self.paused_for is not None

    @property
    def waits(self) -> bool:
        """Whether it gets a worker by itself, sooner or later."""
        return self.is_set_aside or self.status in {RunStatus.QUEUED, RunStatus.HELD}


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
    placement: Placement = Placement()


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
    timezone: str = "UTC"
    missed: Missed = "once"
    enabled: bool = True
    next_at: float | None = None
    last_at: float | None = None
    quote: dict[str, Any] | None = None
    last_error: str | None = None
    created_at: float


class WindowRecord(Record):
    """Hours in which runs may run; what becomes of those that run when they are over."""

    name: str
    hours: str
    timezone: str
    at_close: AtClose
    created_at: float


class GroupRecord(Record):
    """What holds for a group's runs; `*` is every group. most_running None: as many as fit."""

    name: str
    most_running: int | None = None
    is_paused: bool = False


class Formula(Record):
    """What arithmetic alone says of a run, for later runs to be corrected by. device: its name; other_seconds:
    of everything but the steps.
    """

    device: str = ""
    memory_bytes: int | None = None
    seconds_a_step: float | None = None
    other_seconds: float | None = None


class NewQuote(Record):
    """What a run is said to take before it begins."""

    memory_bytes: int | None = None
    seconds: float | None = None
    seconds_a_step: float | None = None
    steps: int | None = None
    energy_j: float | None = None
    basis: str = ""
    formula: Formula = Formula()


class Usage(Record):
    """What one attempt has taken so far. None: not measured."""

    peak_memory_bytes: int | None = None
    busy_seconds: float = 0.0
    seconds_a_step: float | None = None
    energy_j: float | None = None


class QuoteRecord(NewQuote):
    """What a run was said to take before it began, and what it has taken so far (None: not measured)."""

    run_id: str
    peak_memory_bytes: int | None = None
    busy_seconds: float | None = None
    measured_seconds_a_step: float | None = None
    used_energy_j: float | None = None


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
