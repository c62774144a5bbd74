"""Runs, what they made, and what is told of them live."""

from __future__ import annotations

from typing import Any, Literal

from kitchen_core.needs import Needs, Placement
from kitchen_core.telemetry.schema import Event, MetricPoint, PausedFor, RunError, RunStatus
from kitchen_daemon.models.base import Model
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.models.quotes import QuoteInfo

MOST_RUNS = 500
"""So many runs are told of in one answer at most; who wants more asks for those before the last of them."""


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
    """Everything about a run but its events and series. Times are seconds since the epoch.

    code: why it waits, where it does. placement: what it has while it has a worker, or had last.
    """

    id: str
    name: str | None
    recipe: str
    workflow: str
    status: RunStatus
    reason: str | None
    code: WaitCode | None = None
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
    after_any: list[str]
    queue_group: str
    not_before: float | None
    window: str | None
    preempts: bool
    max_retries: int
    retries: int
    paused_for: PausedFor | None
    schedule_id: str | None
    needs: Needs
    placement: Placement | None = None
    quote: QuoteInfo | None = None
    retry_of: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    progress: ProgressInfo
    metrics: dict[str, float | None]
    error: RunError | None
    parents: list[str]
    artifacts: list[ArtifactInfo]


FROM_NOW = "now"
"""The `Last-Event-ID` that leaves out all that has happened."""


class StreamItem(Model):
    """One item of a live stream.

    Exactly one of the two is set. cursor: the `Last-Event-ID` that continues after it.
    """

    cursor: str
    event: Event | None = None
    metrics: list[MetricPoint] | None = None
