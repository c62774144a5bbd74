"""Where telemetry goes: the run log that a worker writes to. The store implements it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from kitchen_core.telemetry.schema import Intent, NewEvent, RunError, RunStatus


class StaleAttempt(RuntimeError):  # noqa: N818 - named by what happened
    """This attempt was replaced by a newer one; nothing it writes is taken."""


class MetricRow(NamedTuple):
    """One value on its way to the store."""

    name: str
    step: int
    value: float | None


class ArtifactRecord(NamedTuple):
    """An artifact as stored: a file or tree at `path`, content-addressed by `sha256`."""

    sha256: str
    name: str
    kind: str
    size_bytes: int
    path: Path
    step: int | None


class Node(NamedTuple):
    """A node of the lineage graph; content has its SHA-256."""

    id: str
    kind: str
    name: str
    sha256: str | None = None


class EventSink(Protocol):
    """Takes events and metrics of one run's current attempt."""

    def append(self, events: Sequence[NewEvent]) -> None:
        """Number and keep the events, in order. Raises StaleAttempt."""
        ...

    def write_metrics(self, rows: Iterable[MetricRow]) -> None:
        """Keep the values; a step written again replaces the old value. Raises StaleAttempt."""
        ...


class RunLog(EventSink, Protocol):
    """Everything that a worker may write of its run.

    Each call raises StaleAttempt once the attempt was replaced.
    """

    run_id: str
    attempt: int

    def set_status(
        self, status: RunStatus, *, reason: str | None = None, error: RunError | None = None
    ) -> None:
        """Change the run's status and append its event, in one durable commit."""
        ...

    def intent(self) -> Intent | None:
        """What somebody has asked of this run."""
        ...

    def set_progress(self, step: int, total_steps: int | None, eta_s: float | None) -> None:
        """Where the run is; not an event."""
        ...

    def store_file(
        self, source: Path, name: str, *, step: int | None = None, made: bool = True
    ) -> ArtifactRecord:
        """Take a copy of a file into the artifact store and append `artifact.created`.

        made: it is a result of the run, and the lineage says so; a checkpoint is none.
        """
        ...

    def store_tree(
        self, source: Path, name: str, *, step: int | None = None, made: bool = True
    ) -> ArtifactRecord:
        """The same for a folder, which is moved in where it can be."""
        ...

    def stored(self, prefix: str) -> list[ArtifactRecord]:
        """The run's artifacts whose names begin with `prefix`, in order of storing."""
        ...

    def remove(self, name: str) -> None:
        """Take an artifact from the run, and its content from the disk if nothing else names it."""
        ...

    def keep_newest(self, prefix: str, count: int) -> None:
        """Remove the run's artifacts whose names begin with `prefix`, but for the newest `count`."""
        ...

    def add_edge(self, source: Node, target: Node, role: str) -> None:
        """Record that `target` came out of `source`."""
        ...

    def save_checkpoint(self, record: ArtifactRecord, step: int, metadata: dict[str, Any]) -> None:
        """Append `checkpoint.saved` durably: from here a resume starts at `step`."""
        ...

    def pin(self, ref: str, pin: str) -> None:
        """Fix what a ref means for every later attempt."""
        ...

    def rewind(self, step: int) -> None:
        """Delete metrics beyond `step` and append `run.resumed` naming it."""
        ...
