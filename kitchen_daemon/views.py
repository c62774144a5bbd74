"""From the store's records to what the API tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import QuoteRecord, RunRecord, StoredArtifact
from kitchen_core.store.store import Store
from kitchen_daemon.models import (
    ArtifactInfo,
    Lineage,
    LineageEdge,
    LineageNode,
    ProgressInfo,
    QuoteInfo,
    RunInfo,
    WaitCode,
)
from kitchen_daemon.queueing.decisions import Why

_SAME = set(RunInfo.model_fields) & set(RunRecord.model_fields)


def run_infos(
    store: Store, runs: Sequence[RunRecord], whys: Mapping[str, Why | None]
) -> list[RunInfo]:
    """Runs with their last values and artifacts. whys: why they wait, by the last look at the queue."""
    run_ids = [run.id for run in runs]
    placements, quotes = store.last_placements_of(run_ids), store.quotes_of(run_ids)
    values, artifacts = store.last_values_of(run_ids), store.artifacts_of(run_ids)
    return [
        RunInfo(
            **run.model_dump(include=_SAME) | _waits(run, whys.get(run.id)),
            placement=placements.get(run.id),
            quote=_quote_info(quotes.get(run.id)),
            progress=ProgressInfo(
                step=run.progress_step, total_steps=run.total_steps, eta_s=run.eta_s
            ),
            metrics=values[run.id],
            artifacts=[artifact_info(artifact) for artifact in artifacts[run.id]],
        )
        for run in runs
    ]


def _waits(run: RunRecord, why: Why | None) -> dict[str, Any]:
    """Why it waits. Whether somebody holds it the store knows, the last look perhaps not yet or still."""
    if run.is_held:
        return {"code": WaitCode.HELD}
    if why is None or not run.waits or why.code is WaitCode.HELD:
        return {}
    return {"reason": why.text, "code": why.code}


def _quote_info(quote: QuoteRecord | None) -> QuoteInfo | None:
    """A run's quote beside what it took."""
    return quote and QuoteInfo(**quote.model_dump(include=set(QuoteInfo.model_fields)))


def artifact_info(artifact: StoredArtifact) -> ArtifactInfo:
    """An artifact with its place on this machine."""
    return ArtifactInfo(
        **artifact.model_dump(include=set(ArtifactInfo.model_fields) - {"path"}),
        path=str(artifact.path),
    )


def lineage(store: Store, node: str) -> Lineage:
    """The graph around a run or an artifact, named as a user names them.

    Raises NotFound or Ambiguous.
    """
    nodes, edges = store.graph(_node_id(store, node))
    return Lineage(
        nodes=[LineageNode(id=n.id, kind=n.kind, name=n.name, sha256=n.sha256) for n in nodes],
        edges=[
            LineageEdge.model_validate({"from": e.source, "to": e.target, "role": e.role})
            for e in edges
        ],
    )


def _node_id(store: Store, text: str) -> str:
    if text.startswith("artifact:"):
        return store.find_node(text.removeprefix("artifact:")).id
    try:
        return f"run:{store.find_run(text.removeprefix('run:')).id}"
    except NotFound:
        return store.find_node(text).id
