"""Checking a workflow without running it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from kitchen_core.workflow.graph import (
    AsyncLoopNode,
    GraphError,
    LoopNode,
    Node,
    ParallelNode,
    StageNode,
    WhenNode,
    Workflow,
    children_of,
    stages_of,
    walk,
)
from kitchen_core.workflow.stage import Keeping

Written: TypeAlias = dict[str, Keeping]
"""Keys of the run state, and how each is kept."""


def check(workflow: Workflow) -> None:
    """Refuse a tree that can't work: an unknown node, a read that nothing before it writes, two
    loops of one name, two step counters or one that is run more than once.

    Raises GraphError naming the stage and the key, or the loop.
    """
    _check_loops(workflow.name, workflow.body)
    _check_body(workflow.name, workflow.body, {})


def _check_loops(where: str, body: tuple[Node, ...]) -> None:
    names = [node.name for node in _loops(body)]
    for name in names:
        if names.count(name) > 1:
            raise GraphError(f"workflow {where}: two loops are named {name}")
    steps = [node.name for node in _loops(body) if node.counts_steps]
    if len(steps) > 1:
        raise GraphError(
            f"workflow {where}: {' and '.join(steps)} both count steps; only one loop can"
        )
    for node in walk(body):
        inner = [within.name for within in _loops(children_of(node)) if within.counts_steps]
        if inner and isinstance(node, LoopNode | AsyncLoopNode | ParallelNode):
            kind = "a parallel" if isinstance(node, ParallelNode) else f"loop {node.name}"
            raise GraphError(
                f"workflow {where}: {inner[0]} counts steps, so it can't be inside {kind}"
            )


def _loops(nodes: tuple[Node, ...]) -> Iterator[LoopNode | AsyncLoopNode]:
    return (node for node in walk(nodes) if isinstance(node, LoopNode | AsyncLoopNode))


def _check_body(where: str, nodes: tuple[Node, ...], written: Written) -> Written:
    """The keys written after the nodes, given those written before."""
    for node in nodes:
        written = written | _check_node(where, node, written)
    return written


def _check_node(where: str, node: Node, written: Written) -> Written:
    match node:
        case StageNode(stage=placed):
            for key in placed.reads:
                if key not in written:
                    raise GraphError(
                        f"workflow {where}: stage {placed.name} reads '{key}', which no earlier stage writes"
                    )
            return dict(placed.writes)
        case LoopNode() | AsyncLoopNode():
            return _check_loop(where, node, written)
        case WhenNode(body=body):
            _check_body(where, body, written)
            return {}
        case ParallelNode(branches=branches):
            return _check_branches(where, branches, written)
        case _:
            raise GraphError(
                f"workflow {where}: {node!r} is not a node; use stage, loop, stream, async_loop, when or parallel"
            )


def _check_loop(where: str, node: LoopNode | AsyncLoopNode, written: Written) -> Written:
    if node.over not in written:
        raise GraphError(
            f"workflow {where}: loop {node.name} goes over '{node.over}', which no earlier stage writes"
        )
    given = {node.item: Keeping.REBUILT}
    if isinstance(node, AsyncLoopNode):
        _check_producer(where, node, written)
        given |= {node.product: Keeping.REBUILT}
    before = written | _durable_of(_check_body(where, node.between, written))
    return _durable_of(_check_body(where, node.body, before | given))


def _check_producer(where: str, node: AsyncLoopNode, written: Written) -> None:
    """What a producer writes stays its own, but for the product; a durable key would be lost."""
    if node.buffer not in written:
        raise GraphError(
            f"workflow {where}: loop {node.name} keeps its products in '{node.buffer}', which no earlier "
            "stage writes"
        )
    nodes = node.begin + node.producer
    _check_body(where, nodes, written | {node.item: Keeping.REBUILT})
    own = {key: kept for placed in stages_of(nodes) for key, kept in placed.writes.items()}
    if node.product not in own:
        raise GraphError(
            f"workflow {where}: loop {node.name} takes '{node.product}' from its producer, which does "
            "not write it"
        )
    for key in _durable_of(own):
        raise GraphError(
            f"workflow {where}: the producer of loop {node.name} writes '{key}', which is durable; only "
            "rebuilt keys can be written beside the turns"
        )


def _durable_of(written: Written) -> Written:
    """What a loop leaves behind: the keys of its last turn are gone, the durable ones stay."""
    return {key: keeping for key, keeping in written.items() if keeping is Keeping.DURABLE}


def _check_branches(
    where: str, branches: tuple[tuple[Node, ...], ...], written: Written
) -> Written:
    added: Written = {}
    for branch in branches:
        _check_body(where, branch, written)
        own = {key: kept for placed in stages_of(branch) for key, kept in placed.writes.items()}
        both = own.keys() & added.keys()
        if both:
            raise GraphError(f"workflow {where}: two parallel branches write '{min(both)}'")
        added |= own
    return added
