"""The words of a run's log: event kinds, run statuses, and the records that the store keeps.

These are plain pydantic models, so that the store, the daemon's API, the client and the screens
share one spelling.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class EventKind(StrEnum):
    """Everything that can happen, by name."""

    RUN_CREATED = "run.created"
    RUN_QUEUED = "run.queued"
    RUN_HELD = "run.held"
    RUN_RUNNING = "run.running"
    RUN_PAUSED = "run.paused"
    RUN_INTERRUPTED = "run.interrupted"
    RUN_RESUMED = "run.resumed"
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    STAGE_STARTED = "stage.started"
    STAGE_COMPLETED = "stage.completed"
    STAGE_FAILED = "stage.failed"
    STAGE_FOLDED = "stage.folded"
    CHECKPOINT_SAVED = "checkpoint.saved"
    EVAL_COMPLETED = "eval.completed"
    SAMPLE_LOGGED = "sample.logged"
    DATASET_LOADED = "dataset.loaded"
    ARTIFACT_CREATED = "artifact.created"
    MODEL_REGISTERED = "model.registered"
    RECIPE_REVISED = "recipe.revised"
    RECIPE_BROKEN = "recipe.broken"
    RECIPE_REMOVED = "recipe.removed"
    SCHEDULE_FIRED = "schedule.fired"
    PORT_RETRIED = "port.retried"
    PORT_WAITING = "port.waiting"
    DAEMON_STARTED = "daemon.started"
    LOG = "log"


class Event(BaseModel):
    """One thing that happened.

    id is the store-wide cursor. seq counts a run's events without a gap from 1; it and run_id are
    null for what belongs to no run. at is seconds since the epoch. step is the number of optimizer
    steps done when it happened. metric_mark is the newest metric's id then, by which streams put
    events and metrics in one order.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    run_id: str | None
    seq: int | None
    attempt: int | None
    at: float
    kind: EventKind
    stage: str | None = None
    step: int | None = None
    measurements: dict[str, float | None] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    metric_mark: int = Field(default=0, exclude=True)


class NewEvent(BaseModel):
    """An event that the store has not numbered yet."""

    model_config = ConfigDict(frozen=True)

    kind: EventKind
    at: float
    stage: str | None = None
    step: int | None = None
    measurements: dict[str, float | None] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)


class MetricPoint(BaseModel):
    """One value of one series.

    value is null where it was not finite. id is the cursor among metrics.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    run_id: str
    name: str
    step: int
    value: float | None


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}

    @property
    def is_at_rest(self) -> bool:
        """Whether no worker has it and none will get it by itself."""
        return self.is_final or self in {RunStatus.PAUSED, RunStatus.INTERRUPTED}


class Intent(StrEnum):
    """What somebody has asked of a running run."""

    CANCEL = "cancel"
    PAUSE = "pause"


class PausedFor(StrEnum):
    """Why the kitchen paused a run, which goes on by itself once that is over."""

    WINDOW = "window"
    PREEMPTION = "preemption"
    QUEUE = "queue"


class RunError(BaseModel):
    """Why a run failed. log_tail holds the worker's last lines, where the message can't say all."""

    type: str
    message: str
    hint: str = ""
    stage: str | None = None
    log_tail: list[str] = Field(default_factory=list)


def finite_or_none(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None
