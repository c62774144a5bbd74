"""The run store: what happened, what was measured, what was made, and out of what.

store = Store.open(home)                          # the daemon; a worker passes migrate=False
run = store.create_run(NewRun(name="first", recipe="sl_basic", workflow="supervised"))
attempt = store.begin_attempt(run.id, pid, pid_started_at, boot_id, log_path)
log = RunWriter(store, run.id, attempt)           # telemetry.ports.RunLog, fenced by the attempt
"""

from kitchen_core.content import sha256_of_file as hash_file
from kitchen_core.content import sha256_of_tree as tree_sha256
from kitchen_core.content import tree_manifest
from kitchen_core.store.content import NotStorable
from kitchen_core.store.errors import (
    Ambiguous,
    MigrationBlocked,
    NameTaken,
    NotFound,
    SchemaTooNew,
    SchemaTooOld,
    StillWanted,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreMissing,
)
from kitchen_core.store.lineage import artifact_node, run_node
from kitchen_core.store.records import (
    AttemptRecord,
    Bucket,
    Edge,
    ModelVersionRecord,
    NewRun,
    RevisionRecord,
    RunRecord,
    ScheduleRecord,
    StoredArtifact,
    WindowRecord,
)
from kitchen_core.store.store import Store
from kitchen_core.store.writer import RunWriter

__all__ = [
    "Ambiguous",
    "AttemptRecord",
    "Bucket",
    "Edge",
    "MigrationBlocked",
    "ModelVersionRecord",
    "NameTaken",
    "NewRun",
    "NotFound",
    "NotStorable",
    "RevisionRecord",
    "RunRecord",
    "RunWriter",
    "ScheduleRecord",
    "SchemaTooNew",
    "SchemaTooOld",
    "StillWanted",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "StoreMissing",
    "StoredArtifact",
    "WindowRecord",
    "artifact_node",
    "hash_file",
    "run_node",
    "tree_manifest",
    "tree_sha256",
]
