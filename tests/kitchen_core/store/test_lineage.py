"""The lineage graph tells all that something came out of and all that came out of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_core.store import NotFound, RunWriter, Store, artifact_node, run_node
from kitchen_core.telemetry.ports import Node
from tests.kitchen_core.store.support import passing_store


def reach(start: int, edges: set[tuple[int, int]]) -> set[int]:
    found, last = {start}, None
    while last != found:
        last = set(found)
        found |= {target for source, target in edges if source in found}
    return found


@settings(max_examples=30)
@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12), st.integers(0, 6))
def test_the_graph_is_what_can_be_reached_either_way(
    edges: set[tuple[int, int]], start: int
) -> None:
    nodes = [Node(f"run:{index}", "run", f"run {index}") for index in range(7)]
    with passing_store() as store:
        store.upsert_node(nodes[start])
        for source, target in [*edges, *edges]:
            store.add_edge(nodes[source], nodes[target], "used")
        found, found_edges = store.graph(f"run:{start}")
    down = reach(start, edges)
    up = reach(start, {(target, source) for source, target in edges})
    assert {node.id for node in found} == {f"run:{index}" for index in up | down}
    assert {(edge.source, edge.target) for edge in found_edges} == {
        (f"run:{source}", f"run:{target}")
        for source, target in edges
        if {source, target} <= up or {source, target} <= down
    }
    assert len(found_edges) == len(set(found_edges))


def test_a_run_is_a_node_from_its_submission_on(store: Store, writer: RunWriter) -> None:
    nodes, edges = store.graph(f"run:{writer.run_id}")
    assert (nodes, edges) == ([run_node(writer.run_id, "first")], [])


def test_an_edge_does_not_rename_what_is_known(store: Store, writer: RunWriter) -> None:
    known = artifact_node("ab" * 32, "final")
    store.upsert_node(known)
    run = run_node(writer.run_id, "first")
    writer.add_edge(known._replace(name="abababab"), run, "model")
    writer.add_edge(known, run, "dataset")
    nodes, edges = store.graph(known.id)
    assert set(nodes) == {known, run}
    assert [edge.role for edge in edges] == ["model", "dataset"]
    store.upsert_node(known._replace(name="renamed", sha256=None))
    assert store.graph(known.id)[0][-1] in (known._replace(name="renamed"), run)


def test_an_unknown_node_is_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(NotFound, match="no lineage node 'run:x'"):
        store.graph("run:x")
