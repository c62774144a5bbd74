"""The checkpoints that services keep: seen and changed with the keys that the daemon has.

A service's SDK may block, and bring a gigabyte of libraries, so it is asked in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest, manifest_names, resolve_manifest
from kitchen_core.adapters.readiness import check_ready
from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_core.train.ports.errors import PortError, Timeout, Unsupported
from kitchen_core.train.remote_weights import FILE as REMOTE_WEIGHTS
from kitchen_daemon.apart import Apart, Task
from kitchen_daemon.models import CheckpointChange, CheckpointInfo, Model, Problem
from kitchen_daemon.secrets import read_secrets

SECONDS = 30.0
"""How long a service may take to answer; the SDKs ask one that is down for much longer."""

_NOTES = (REMOTE_WEIGHTS, "session/state.json")
"""Where a run's trees say what a service keeps for them."""


class CheckpointTask(Task):
    """What the process is told. change: none asks for the list."""

    wiring: dict[str, Any]
    change: CheckpointChange | None


class CheckpointAnswer(Model):
    """What the process says. checkpoints: none after a change."""

    checkpoints: list[CheckpointInfo] | None = None
    problem: Problem | None = None


class KeptCheckpoints:
    """Asks the services that a home's manifests name. Blocks."""

    def __init__(self, home: Home, store: Store, apart: Apart, seconds: float = SECONDS) -> None:
        self._home = home
        self._store = store
        self._apart = apart
        self._seconds = seconds

    def listed(self, manifest: str) -> list[CheckpointInfo]:
        """All of the user's, the newest first, with the runs that made them. Raises ManifestError, or a
        PortError.
        """
        found = self._ask(manifest, None).checkpoints or []
        makers = dict(_makers(self._store)) if found else {}
        return [each.model_copy(update={"run": makers.get(each.path)}) for each in found]

    def change(self, change: CheckpointChange) -> None:
        """Do as it says. Raises ManifestError, or a PortError."""
        self._ask(change.manifest, change)

    def _ask(self, name: str, change: CheckpointChange | None) -> CheckpointAnswer:
        manifest = resolve_manifest(name, {}, self._home.root)
        if "checkpoints" not in manifest.ports:
            raise self._unserved(name)
        check_ready(manifest, ("checkpoints",), read_secrets(self._home))
        answer = self._ask_apart(manifest, change)
        if answer.problem is not None:
            raise PortError(answer.problem.message, hint=answer.problem.hint)
        return answer

    def _ask_apart(self, manifest: Manifest, change: CheckpointChange | None) -> CheckpointAnswer:
        task = CheckpointTask(
            home=str(self._home.root),
            seconds=self._seconds,
            wiring=manifest.model_dump(mode="json"),
            change=change,
        )
        said = self._apart.ask("kitchen_daemon.checkpoints.process", task)
        if said.answers:
            return CheckpointAnswer.model_validate(said.answers[0])
        if said.exit_code is None:
            raise Timeout(
                f"the service gave no answer within {self._seconds:g} s",
                hint=f"Try again later. What its SDK said is in {self._home.daemon_log}.",
            )
        raise PortError(
            f"asking the service ended with exit code {said.exit_code}: {said.last_words}",
            hint=f"Look at {self._home.daemon_log}.",
        )

    def _unserved(self, name: str) -> Unsupported:
        serving = [other for other in manifest_names(self._home.root) if self._serves(other)]
        use = (
            " or ".join(f"--manifest {other}" for other in serving)
            or "one that names such a service"
        )
        return Unsupported(f"the manifest {name} has no service that keeps checkpoints; use {use}")

    def _serves(self, name: str) -> bool:
        """Whether a manifest names a real service for them, not one that lives in memory."""
        try:
            choice = resolve_manifest(name, {}, self._home.root).ports.get("checkpoints")
        except ManifestError:  # a broken one is not to be recommended
            return False
        return choice is not None and not find_adapters().by_name[choice.adapter].offline


def _makers(store: Store) -> Iterator[tuple[str, str]]:
    """What runs know to be kept elsewhere, and the run: `(path, run id)`; of several the first run."""
    for run in store.list_runs():
        for artifact in store.list_artifacts(run.id):
            for note in _NOTES:
                yield from ((path, run.id) for path in _texts(artifact.path / note))


def _texts(note: Path) -> list[str]:
    """The texts in a note. Backends differ in what they note; a path at a service is like no other text."""
    try:
        noted = json.loads(note.read_bytes())
    except (OSError, ValueError):  # most trees have none
        return []
    return (
        [text for text in noted.values() if isinstance(text, str)]
        if isinstance(noted, dict)
        else []
    )
