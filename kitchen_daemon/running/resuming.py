"""Whether a run that stopped can go on, and from where; if it can't, the one line that says why.

What is cheap to know is looked at when a resume is asked for; the worker looks at the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.adapters.manifest import Manifest, check_manifest
from kitchen_core.pins import check_pinned_file
from kitchen_core.refs import RefError, parse_ref
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import RunRecord, StoredArtifact
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import EventKind, RunStatus
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.launching.needing import try_ports_of
from kitchen_daemon.machine.driver import has_gpu

MOST_BYTES = 2**30
"""Larger files and folders are not hashed while a user waits; the worker does it."""


@dataclass(frozen=True)
class FoundCheckpoint:
    """Where a run goes on. folder: None at the very beginning. damaged: newer ones, newest first."""

    name: str
    step: int
    folder: Path | None
    damaged: list[StoredArtifact]


def check_resumable(store: Store, run: RunRecord, secrets: Mapping[str, str]) -> str:
    """Raise ResumeError, RecipeError or a port's error where it is known at once that a run can't go on;
    else what a resume of it will do, in a few words.
    """
    _check_status(run)
    recipe = recipe_file(store, run)
    check_installed(run)
    try_ports_of(run, recipe, secrets)
    _check_pinned_files(run)
    return f"resumed; {where_it_goes_on(store, run.id)}"


def where_it_goes_on(store: Store, run_id: str) -> str:
    """Where a run would go on, in a few words. Raises ResumeError where its checkpoints are gone."""
    checkpoints = _checkpoints(store, run_id)
    if not checkpoints:
        return "it has saved no checkpoint yet, so it begins at step 0"
    there = [saved for saved in checkpoints if saved.path.exists()]
    if not there:
        raise _without_checkpoint(run_id, checkpoints)
    return f"goes on from step {there[0].step}"


def recipe_file(store: Store, run: RunRecord) -> Path:
    """The recipe that a run is pinned to, in its stored revision. Raises ResumeError."""
    sha256 = run.recipe_revision or ""
    try:
        revision = store.get_revision(sha256)
        tree = store.find_artifact(sha256)
    except NotFound:
        raise _without_recipe(run, "is not in the store") from None
    if not store.is_whole(tree):
        raise _without_recipe(run, f"in {tree.path} was deleted or edited")
    return tree.path / Path(revision.source_path).name


def check_installed(run: RunRecord) -> None:
    """Check that this machine still has what a run was wired to. Raises ResumeError."""
    try:
        check_manifest(Manifest.model_validate(run.wiring))
    except ManifestError as error:
        raise ResumeError(
            f"run {run.id} can't go on: {error}; install what provides it, "
            f"then: kitchen resume {run.id}"
        ) from None
    if run.config.get("device") == "cuda" and not has_gpu():
        raise ResumeError(
            f"run {run.id} can't go on: it trains on a GPU, and no NVIDIA GPU is found here now; "
            f"bring it back, then: kitchen resume {run.id}"
        )


def find_checkpoint(store: Store, run_id: str) -> FoundCheckpoint:
    """The newest checkpoint whose every byte is as it was saved.

    Raises ResumeError where there were some and none is left.
    """
    damaged: list[StoredArtifact] = []
    for saved in _checkpoints(store, run_id):
        if store.is_whole(saved):
            return FoundCheckpoint(saved.name, saved.step or 0, saved.path, damaged)
        damaged.append(saved)
    if damaged:
        raise _without_checkpoint(run_id, damaged)
    return FoundCheckpoint("the beginning", 0, None, [])


def what_is_wrong(damaged: StoredArtifact) -> str:
    """In words."""
    if damaged.path.exists():
        return f"is damaged: the files in {damaged.path} are not those that were saved"
    return f"is gone: there is no {damaged.path} any more"


def _checkpoints(store: Store, run_id: str) -> list[StoredArtifact]:
    """The checkpoints that are kept, newest first: those that were stored and told of."""
    kept = {artifact.name: artifact for artifact in store.list_artifacts(run_id)}
    told = store.read_events(run_id=run_id, kinds=[EventKind.CHECKPOINT_SAVED])
    names = {event.metadata["name"] for event in told} & kept.keys()
    return sorted((kept[name] for name in names), key=lambda saved: saved.step or 0, reverse=True)


def _check_status(run: RunRecord) -> None:
    match run.status:
        case RunStatus.COMPLETED:
            raise ResumeError(
                f"run {run.id} has completed, so there is nothing to resume; "
                f"run the same again with: kitchen retry {run.id}"
            )
        case RunStatus.QUEUED:
            raise ResumeError(f"run {run.id} is queued already; it needs no resume")
        case RunStatus.HELD if run.is_held:
            raise ResumeError(
                f"run {run.id} is held; let it go with: kitchen queue release {run.id}"
            )
        case RunStatus.HELD:
            raise ResumeError(f"run {run.id} waits by itself: {run.reason}")


def _check_pinned_files(run: RunRecord) -> None:
    for text, pin in run.pins.items():
        ref = parse_ref(text)
        if ref.kind != "file" or ":" in pin or _size(Path(ref.name)) > MOST_BYTES:
            continue
        try:
            check_pinned_file(text, pin)
        except RefError as error:
            raise ResumeError(f"run {run.id} can't go on: {error}") from None


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _without_recipe(run: RunRecord, what: str) -> ResumeError:
    return ResumeError(
        f"run {run.id} can't go on: the revision {(run.recipe_revision or 'none')[:12]} of its recipe "
        f"{what}; launch it anew with: kitchen run {run.recipe}"
    )


def _without_checkpoint(run_id: str, damaged: list[StoredArtifact]) -> ResumeError:
    newest, *older = damaged
    match len(older):
        case 0:
            others = "no older one is kept"
        case 1:
            others = "so is the one before it"
        case many:
            others = f"so are the {many} before it"
    return ResumeError(
        f"run {run_id} can't go on: {newest.name} {what_is_wrong(newest)}, and {others}; "
        f"begin anew with: kitchen retry {run_id}"
    )
