"""A workflow drawn as an indented tree of text."""

from __future__ import annotations

from collections.abc import Iterator

from kitchen_core.workflow.graph import (
    AsyncLoopNode,
    LoopNode,
    Node,
    ParallelNode,
    StageNode,
    WhenNode,
    Workflow,
)


def draw(workflow: Workflow) -> list[str]:
    """The tree, a line a node."""
    return [f"workflow {workflow.name}", *_lines(workflow.body, "  ")]


def _lines(nodes: tuple[Node, ...], indent: str) -> Iterator[str]:
    for node in nodes:
        match node:
            case StageNode(stage=placed):
                yield f"{indent}{placed.name}"
            case LoopNode() | AsyncLoopNode():
                yield from _loop(node, indent)
            case WhenNode(predicate=predicate, body=body):
                yield f"{indent}when {predicate.label}"
                yield from _lines(body, indent + "  ")
            case ParallelNode(branches=branches):
                yield f"{indent}parallel"
                for branch in branches:
                    yield from _lines(branch, indent + "  ")


def _loop(node: LoopNode | AsyncLoopNode, indent: str) -> Iterator[str]:
    until = f" until {node.until.label}" if node.until else ""
    yield f"{indent}{_kind(node)} {node.name} over {node.over}{until}"
    if node.between:
        yield f"{indent}  between turns"
        yield from _lines(node.between, indent + "    ")
    if isinstance(node, AsyncLoopNode):
        yield f"{indent}  ahead, by {node.lag.label} at most; exactly so where {node.exact.label}"
        yield from _lines(node.begin + node.producer, indent + "    ")
    yield from _lines(node.body, indent + "  ")


def _kind(node: LoopNode | AsyncLoopNode) -> str:
    if isinstance(node, AsyncLoopNode):
        return "async loop"
    return f"stream (prefetch {node.prefetch})" if node.prefetch else "loop"
