"""Lineage as a tree: what a node came out of, and what came out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.text import Text
from rich.tree import Tree

from kitchen_daemon.client import Client, Refused
from kitchen_daemon.models import Lineage, LineageEdge, LineageNode

_KIND_COLORS = {"run": "blue", "dataset": "yellow", "model": "green", "recipe": "magenta"}


@dataclass
class _Walk:
    """One direction through the graph. A node that was drawn before is not drawn whole again."""

    nodes: dict[str, LineageNode]
    edges: list[LineageEdge]
    upward: bool
    drawn: set[str] = field(default_factory=set)

    def grow(self, tree: Tree, node_id: str) -> None:
        """Draw the node's neighbours below it."""
        self.drawn.add(node_id)
        for neighbour, role in self._neighbours(node_id):
            again = neighbour in self.drawn and self.begins(neighbour)
            branch = tree.add(node_label(self.nodes[neighbour], role, again=again))
            if not again:
                self.grow(branch, neighbour)

    def begins(self, node_id: str) -> bool:
        """Whether there is anything in this direction."""
        return any(True for _ in self._neighbours(node_id))

    def _neighbours(self, node_id: str) -> Iterator[tuple[str, str]]:
        for edge in self.edges:
            here, there = (edge.target, edge.source) if self.upward else (edge.source, edge.target)
            if here == node_id and there in self.nodes:
                yield there, edge.role


def lineage_tree(graph: Lineage, start: str) -> Tree:
    """The tree around one node of the graph."""
    nodes = {node.id: node for node in graph.nodes}
    tree = Tree(node_label(nodes[start]), guide_style="dim")
    for title, upward in (("made from", True), ("went into", False)):
        walk = _Walk(nodes, graph.edges, upward)
        if walk.begins(start):
            walk.grow(tree.add(Text(title, style="dim")), start)
    return tree


def start_of(client: Client, graph: Lineage, asked: str) -> str:
    """The id of the node that the user asked for, by whatever name."""
    ids = {node.id for node in graph.nodes}
    try:
        run = f"run:{client.run(asked.removeprefix('run:')).id}"
    except Refused:
        run = ""
    if run in ids:
        return run
    sha256 = asked.removeprefix("artifact:")
    found = (node.id for node in graph.nodes if (node.sha256 or "").startswith(sha256))
    return next(found, graph.nodes[0].id)


def node_label(node: LineageNode, role: str = "", *, again: bool = False) -> Text:
    """A node's kind, name and identity, what it was taken as, and whether it stands whole elsewhere."""
    label = Text.assemble((node.kind, _KIND_COLORS.get(node.kind, "")), " ", (node.name, "bold"))
    identity = node.sha256[:12] if node.sha256 else node.id.removeprefix("run:")
    if identity != node.name:
        label.append(f" {identity}", style="dim")
    if role and role != node.kind:
        label.append(f" ({role})", style="dim")
    if again:
        label.append(" (see above)", style="dim")
    return label
