"""The pen of one worker: everything that an attempt may write of its run, and nothing once it was replaced."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from kitchen_core.store import events
from kitchen_core.store.content import ContentKind
from kitchen_core.store.database import Connection
from kitchen_core.store.lineage import artifact_node, put_edge, put_node, run_node
from kitchen_core.store.metrics import delete_beyond
from kitchen_core.store.records import RunRecord, StoredArtifact, json_text
from kitchen_core.store.runs import StatusChange, change_status, read_run
from kitchen_core.store.store import Store
from kitchen_core.telemetry.ports import ArtifactRecord, MetricRow, Node
from kitchen_core.telemetry.redaction import NOTHING_SECRET, Redactor
from kitchen_core.telemetry.schema import (
    EventKind,
    Intent,
    NewEvent,
    RunError,
    RunStatus,
)

MADE = "made"
"""The role of the edge from a run to what it stored."""


class RunWriter:
    """The store as one attempt of a run sees it: `telemetry.ports.RunLog`.

    redactor: takes keys out of events and of how the run ended. Every method raises StaleAttempt once the
    attempt was replaced or declared over, having written nothing.
    """

    def __init__(
        self, store: Store, run_id: str, attempt: int, redactor: Redactor = NOTHING_SECRET
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self._store = store
        self._redactor = redactor
        self._node = run_node(run_id, store.get_run(run_id).name)

    def append(self, events: Sequence[NewEvent]) -> None:
        """Number and keep the events, in order."""
        clean = [
            event.model_copy(update={"metadata": self._redactor.value(event.metadata)})
            for event in events
        ]
        self._store.append_events(self.run_id, clean, self.attempt)

    def write_metrics(self, rows: Iterable[MetricRow]) -> None:
        """Keep the values; a step written again replaces the old value."""
        self._store.write_metrics(self.run_id, rows, self.attempt)

    def set_status(
        self, status: RunStatus, *, reason: str | None = None, error: RunError | None = None
    ) -> None:
        """Change the run's status and append its event, in one durable commit."""
        self._store.transition(
            self.run_id,
            status,
            expect_attempt=self.attempt,
            reason=self._redactor.value(reason),
            error=error and RunError(**self._redactor.value(error.model_dump())),
        )

    def stop(self, as_asked: Callable[[RunRecord], StatusChange]) -> None:
        """Let the run stop as it is asked to at this very moment, in one durable commit: what it was asked a moment
        ago may have been replaced since.
        """
        with self._store.db.write(durable=True) as connection:
            events.check_current(connection, self.run_id, self.attempt)
            change = as_asked(read_run(connection, self.run_id))
            change_status(connection, self.run_id, change, self.attempt)

    def intent(self) -> Intent | None:
        """What somebody has asked of this run."""
        connection = self._store.db.connection()
        events.check_current(connection, self.run_id, self.attempt)
        row = connection.execute("SELECT intent FROM run WHERE id = ?", (self.run_id,)).fetchone()
        return None if row["intent"] is None else Intent(row["intent"])

    def set_progress(self, step: int, total_steps: int | None, eta_s: float | None) -> None:
        """Where the run is: optimizer steps done, of how many, and seconds to go."""
        with self._store.db.write(durable=False) as connection:
            events.check_current(connection, self.run_id, self.attempt)
            connection.execute(
                "UPDATE run SET progress_step = ?, total_steps = ?, eta_s = ? WHERE id = ?",
                (step, total_steps, eta_s, self.run_id),
            )

    def store_file(
        self, source: Path, name: str, *, step: int | None = None, made: bool = True
    ) -> ArtifactRecord:
        """Store a copy of a file and append `artifact.created`, in one durable commit.

        made: it is a result of the run, and the lineage says so.
        """
        return self._store_content("file", source, name, step, made)

    def store_tree(
        self, source: Path, name: str, *, step: int | None = None, made: bool = True
    ) -> ArtifactRecord:
        """The same for a folder, which is moved in."""
        return self._store_content("tree", source, name, step, made)

    def stored(self, prefix: str) -> list[ArtifactRecord]:
        """The run's artifacts whose names begin with `prefix`, in order of storing."""
        stored = self._store.list_artifacts(self.run_id)
        return [each.as_record() for each in stored if each.name.startswith(prefix)]

    def remove(self, name: str) -> None:
        """Take an artifact from the run, and its content from the disk if nothing else names it."""
        self._store.remove_artifact(self.run_id, name, self.attempt)

    def keep_newest(self, prefix: str, count: int) -> None:
        """Remove the run's artifacts whose names begin with `prefix`, but for the newest `count`."""
        events.check_current(self._store.db.connection(), self.run_id, self.attempt)
        named = self.stored(prefix)
        for artifact in named[: max(0, len(named) - count)]:
            self.remove(artifact.name)

    def add_edge(self, source: Node, target: Node, role: str) -> None:
        """Record that `target` came out of `source`."""
        with self._store.db.write(durable=False) as connection:
            events.check_current(connection, self.run_id, self.attempt)
            put_edge(connection, source, target, role)

    def save_checkpoint(self, record: ArtifactRecord, step: int, metadata: dict[str, Any]) -> None:
        """Append `checkpoint.saved` durably: from here a resume starts at `step`."""
        told = {**metadata, "sha256": record.sha256, "name": record.name}
        with self._store.db.write(durable=True) as connection:
            events.check_current(connection, self.run_id, self.attempt)
            self._append(connection, EventKind.CHECKPOINT_SAVED, step, told)
            self._set_step(connection, step)

    def register(self, name: str, artifact_sha256: str) -> int:
        """Add a version of a registered model; returns its number, counted from 1."""
        return self._store.register(name, artifact_sha256, self.run_id, attempt=self.attempt)

    def pin(self, ref: str, pin: str) -> None:
        """Fix what a ref means for every later attempt."""
        with self._store.db.write(durable=True) as connection:
            events.check_current(connection, self.run_id, self.attempt)
            row = connection.execute("SELECT pins FROM run WHERE id = ?", (self.run_id,)).fetchone()
            pins = json.loads(row["pins"]) | {ref: pin}
            connection.execute(
                "UPDATE run SET pins = ? WHERE id = ?", (json_text(pins), self.run_id)
            )

    def rewind(self, step: int) -> None:
        """Delete metrics beyond `step` and append `run.resumed` naming it, in one transaction."""
        with self._store.db.write(durable=True) as connection:
            events.check_current(connection, self.run_id, self.attempt)
            delete_beyond(connection, self.run_id, step)
            self._append(connection, EventKind.RUN_RESUMED, step, {"step": step})
            self._set_step(connection, step)

    def _store_content(
        self, kind: ContentKind, source: Path, name: str, step: int | None, made: bool
    ) -> ArtifactRecord:
        storing = self._store.storing(
            kind,
            source,
            name,
            run_id=self.run_id,
            step=step,
            attempt=self.attempt,
            move=kind == "tree",
        )
        with storing as (connection, stored):
            self._tell(connection, stored, made)
        return stored.as_record()

    def _tell(self, connection: Connection, stored: StoredArtifact, made: bool) -> None:
        told = {
            "sha256": stored.sha256,
            "name": stored.name,
            "kind": stored.kind,
            "size_bytes": stored.size_bytes,
        }
        self._append(connection, EventKind.ARTIFACT_CREATED, stored.step, told)
        if made:
            node = artifact_node(stored.sha256, stored.name)
            put_node(connection, node)
            put_edge(connection, self._node, node, MADE)

    def _append(
        self, connection: Connection, kind: EventKind, step: int | None, metadata: dict[str, Any]
    ) -> None:
        event = NewEvent(kind=kind, at=time.time(), step=step, metadata=metadata)
        events.append(connection, self.run_id, [event], self.attempt)

    def _set_step(self, connection: Connection, step: int) -> None:
        connection.execute("UPDATE run SET progress_step = ? WHERE id = ?", (step, self.run_id))
