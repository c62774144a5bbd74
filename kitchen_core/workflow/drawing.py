"""A workflow drawn as an indented tree of text."""

from __future__ import annotations

from collections.abc import Iterator

from kitchen_core.workflow.graph import LoopNode, Node, ParallelNode, StageNode, WhenNode, Workflow


def draw(workflow: Workflow) -> list[str]:
    """The tree, a line a node."""
    return [f"workflow {workflow.name}", *_lines(workflow.body, "  ")]


def _lines(nodes: tuple[Node, ...], indent: str) -> Iterator[str]:
    for node in nodes:
        match node:
            case StageNode(stage=placed):
                yield f"{indent}{placed.name}"
            case LoopNode(name=name, over=over, body=body, between=between, prefetch=prefetch):
                kind = f"stream (prefetch {prefetch})" if prefetch else "loop"
                until = f" until {node.until.label}" if node.until else ""
                yield f"{indent}{kind} {name} over {over}{until}"
                if between:
                    yield f"{indent}  between turns"
                    yield from _lines(between, indent + "    ")
                yield from _lines(body, indent + "  ")
            case WhenNode(predicate=predicate, body=body):
                yield f"{indent}when {predicate.label}"
                yield from _lines(body, indent + "  ")
            case ParallelNode(branches=branches):
                yield f"{indent}parallel"
                for branch in branches:
                    yield from _lines(branch, indent + "  ")
