"""The tables, as the newest migration leaves them.

This is where the schema is read and changed: change a table here, then let Alembic write the migration (`migrations/`).
Times are seconds since the epoch; `Json` columns hold JSON text.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlalchemy import Index, MetaData, Text, UniqueConstraint, text
from sqlalchemy.orm import declared_attr
from sqlmodel import Field, SQLModel

Json = Text


def _column(default: Any, **kwargs: Any) -> Any:
    """A column that came to a table with rows in it, which got this value."""
    return Field(sa_column_kwargs={"server_default": default}, **kwargs)


class Table(SQLModel):
    """A table of the store; its metadata holds no other program's tables."""

    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805  # pyright: ignore[reportIncompatibleVariableOverride]
        """The class's name in snake case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Run(Table, table=True):
    """One submission of a recipe. attempt is the current one's number, 0 before the first.

    rank: its place among runs of the same priority, the lowest first. schedule_id and scheduled_at: which firing
    made it; a firing makes one.
    """

    __table_args__ = (
        Index("ix_run_name", "name", "created_at"),
        Index("ix_run_status", "status", "created_at"),
        Index("ix_run_created_at", "created_at"),
        Index("ix_run_recipe", "recipe", "created_at"),
        Index(
            "ix_run_firing",
            "schedule_id",
            "scheduled_at",
            unique=True,
            sqlite_where=text("schedule_id IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    name: str
    recipe: str
    workflow: str
    status: str
    reason: str | None
    preset: str | None
    manifest: str
    adapters: str = Field(sa_type=Json)
    wiring: str = Field(sa_type=Json)
    seed: int
    config: str = Field(sa_type=Json)
    config_hash: str
    pins: str = Field(sa_type=Json)
    recipe_revision: str | None
    attempt: int
    intent: str | None
    priority: int
    after: str = Field(sa_type=Json)
    parents: str = Field(sa_type=Json)
    retry_of: str | None = Field(foreign_key="run.id")
    progress_step: int
    total_steps: int | None
    eta_s: float | None
    error: str | None = Field(sa_type=Json)
    created_at: float
    started_at: float | None
    finished_at: float | None
    rank: float = _column(text("0"))
    queue_group: str = _column("main")
    is_held: bool = _column(text("0"))
    after_any: str = _column("[]", sa_type=Json)
    not_before: float | None
    window: str | None
    preempts: bool = _column(text("0"))
    needs: str = _column("{}", sa_type=Json)
    max_retries: int = _column(text("0"))
    retries: int = _column(text("0"))
    paused_for: str | None
    schedule_id: str | None
    scheduled_at: float | None


class Attempt(Table, table=True):
    """One worker process that had a run. Its pid, start time and boot id name the process."""

    __table_args__ = (Index("ix_attempt_open", "run_id", sqlite_where=text("ended_at IS NULL")),)

    run_id: str = Field(primary_key=True, foreign_key="run.id")
    number: int = Field(primary_key=True)
    pid: int
    pid_started_at: float
    boot_id: str
    log_path: str
    started_at: float
    ended_at: float | None
    exit_code: int | None
    schema_version: int
    placement: str = _column("{}", sa_type=Json)


class Event(Table, table=True):
    """What happened. id is never given twice: it is the cursor of every stream.

    metric_mark: the newest metric's id when it happened, which puts events and metrics in one order.
    """

    __table_args__ = (UniqueConstraint("run_id", "seq"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True)
    run_id: str | None = Field(foreign_key="run.id")
    seq: int | None
    attempt: int | None
    at: float
    kind: str
    stage: str | None
    step: int | None
    measurements: str = Field(sa_type=Json)
    metadata_: str = Field(sa_column_kwargs={"name": "metadata"}, sa_type=Json)
    metric_mark: int


class Series(Table, table=True):
    """The name of a metric within a run, kept once."""

    __table_args__ = (UniqueConstraint("run_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="run.id")
    name: str


class Metric(Table, table=True):
    """One value; null where it was not finite. step counts the optimizer steps done.

    A step written again is a new row with a new id, so that streams see it. series_id has no foreign key: the store
    interns the series in the same transaction, and checking it a million times is not free.
    """

    __table_args__ = (
        UniqueConstraint("series_id", "step"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    series_id: int
    step: int
    value: float | None


class MetricSpan(Table, table=True):
    """The ids between which a run's metrics lie, so that following an old run reads nothing of a new one."""

    run_id: str = Field(primary_key=True, foreign_key="run.id")
    first_id: int
    last_id: int


class Artifact(Table, table=True):
    """A name that a run (or nobody) gave to content. The content goes when its last live row does."""

    __table_args__ = (
        Index(
            "ix_artifact_live_name",
            "run_id",
            "name",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
        ),
        Index("ix_artifact_sha256", "sha256"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: str | None = Field(foreign_key="run.id")
    name: str
    kind: str
    sha256: str
    size_bytes: int
    path: str
    step: int | None
    created_at: float
    removed_at: float | None


class Node(Table, table=True):
    """A node of the lineage graph: a run, an artifact, or something outside."""

    id: str = Field(primary_key=True)
    kind: str
    name: str
    sha256: str | None


class Edge(Table, table=True):
    """`target` came out of `source`."""

    __table_args__ = (Index("ix_edge_target", "target"),)

    source: str = Field(primary_key=True, foreign_key="node.id")
    target: str = Field(primary_key=True, foreign_key="node.id")
    role: str = Field(primary_key=True)
    created_at: float


class Model(Table, table=True):
    """A registered model's name."""

    name: str = Field(primary_key=True)
    created_at: float


class ModelVersion(Table, table=True):
    """One version of a registered model, counted from 1."""

    name: str = Field(primary_key=True, foreign_key="model.name")
    version: int = Field(primary_key=True)
    artifact_sha256: str
    run_id: str | None = Field(foreign_key="run.id")
    created_at: float


class ModelAlias(Table, table=True):
    """A movable name for one version of a model."""

    name: str = Field(primary_key=True, foreign_key="model.name")
    alias: str = Field(primary_key=True)
    version: int


class Quote(Table, table=True):
    """What a run was said to take before it began, and what it has taken.

    memory_bytes and peak_memory_bytes: of the device that it computes on, RAM for a CPU. seconds: with a worker.
    basis: how the quote was found. formula: what arithmetic alone gave, before earlier runs corrected it. The
    actual ones grow while the run goes on; None: not measured.
    """

    run_id: str = Field(primary_key=True, foreign_key="run.id")
    memory_bytes: int | None
    seconds: float | None
    seconds_a_step: float | None
    steps: int | None
    energy_j: float | None
    basis: str
    formula: str = Field(sa_type=Json)
    peak_memory_bytes: int | None
    busy_seconds: float | None
    measured_seconds_a_step: float | None
    used_energy_j: float | None


class QueueGroup(Table, table=True):
    """What holds for all runs of a group. most_running: at the same time; None: as many as fit. The group `*` is
    all of them.
    """

    name: str = Field(primary_key=True)
    most_running: int | None
    is_paused: bool


class Window(Table, table=True):
    """Hours in which runs may run. hours: as a user wrote them, such as `mon-fri 22:00-06:00`. at_close: `pause`
    or `finish`.
    """

    name: str = Field(primary_key=True)
    hours: str
    timezone: str
    at_close: str
    created_at: float


class Schedule(Table, table=True):
    """A submission that waits for its time, once or again and again.

    trigger: as a user wrote it. missed: what becomes of firings while no daemon ran, `once`, `all` or `skip`.
    quote: what its runs are expected to take. last_error: why its last firing made no run.
    """

    id: str = Field(primary_key=True)
    name: str
    recipe: str
    payload: str = Field(sa_type=Json)
    trigger: str
    enabled: bool
    next_at: float | None
    last_at: float | None
    created_at: float
    timezone: str = _column("UTC")
    missed: str = _column("once")
    quote: str | None = Field(sa_type=Json)
    last_error: str | None


class RecipeRevision(Table, table=True):
    """A recipe's source as it was: a tree artifact, and where it came from."""

    __table_args__ = (Index("ix_recipe_revision_recipe", "recipe"),)

    sha256: str = Field(primary_key=True)
    recipe: str
    source_path: str
    git_commit: str | None
    git_dirty: bool
    diff_sha256: str | None
    created_at: float


class AdapterBase(Table, table=True):
    """What an adapter belongs to, where that is known from elsewhere than a run of this home: a ref, and
    the hash of what it led to.
    """

    adapter_sha256: str = Field(primary_key=True)
    ref: str
    sha256: str | None
