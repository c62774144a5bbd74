"""Runs, what they made, and what is told of them live."""

from __future__ import annotations

from typing import Any, Literal

from kitchen_core.telemetry.schema import Event, MetricPoint, RunError, RunStatus
from kitchen_daemon.models.base import Model


class ProgressInfo(Model):
    """Steps done, steps in all, seconds left."""

    step: int = 0
    total_steps: int | None = None
    eta_s: float | None = None


class ArtifactInfo(Model):
    """A file or tree that a run made. path: where it lies on this machine."""

    sha256: str
    name: str
    kind: Literal["file", "tree"]
    size_bytes: int
    path: str
    step: int | None
    created_at: float


class RunInfo(Model):
    """Everything about a run but its events and series. Times are seconds since the epoch."""

    id: str
    name: str | None
    recipe: str
    workflow: str
    status: RunStatus
    reason: str | None
    preset: str | None
    manifest: str
    adapters: dict[str, str]
    seed: int
    config: dict[str, Any]
    config_hash: str
    recipe_revision: str
    pins: dict[str, str]
    attempt: int
    priority: int
    after: list[str]
    retry_of: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    progress: ProgressInfo
    metrics: dict[str, float | None]
    error: RunError | None
    parents: list[str]
    artifacts: list[ArtifactInfo]


class StreamItem(Model):
    """One item of a live stream.

    Exactly one of the two is set. cursor: the `Last-Event-ID` that continues after it.
    """

    cursor: str
    event: Event | None = None
    metrics: list[MetricPoint] | None = None
