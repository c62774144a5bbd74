"""How some runs come out of one another, as a tree that leaves out everything between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from kitchen_daemon.models import Lineage, LineageEdge, LineageNode
from kitchen_tui.cli.views.lineage import node_label


@dataclass(frozen=True)
class _Family:
    """The runs, and everything that led to them. drawn: the runs that stand in the tree already."""

    nodes: dict[str, LineageNode]
    edges: list[LineageEdge]
    runs: list[str]
    drawn: set[str]

    def grow(self, tree: Tree, parent: str) -> None:
        """Draw below a node the runs that came out of it, oldest first."""
        for run, role in self._children(parent):
            again = run in self.drawn
            branch = tree.add(self._label(run, role, again=again))
            self.drawn.add(run)
            if not again:
                self.grow(branch, run)

    def roots(self) -> list[str]:
        """What the runs began with that none of them made."""
        found = [edge.source for edge in self.edges if edge.target in self.runs]
        models = [node for node in found if self.nodes[node].kind == "model"]
        return list(dict.fromkeys(models))

    def _children(self, parent: str) -> Iterator[tuple[str, str]]:
        """The runs that took the parent, or what it made, and what they took it as."""
        taken = {edge.target for edge in self.edges if edge.source == parent} & self._made | {
            parent
        }
        for run in self.runs:
            for edge in self.edges:
                if edge.target == run and edge.source in taken:
                    yield run, edge.role

    @property
    def _made(self) -> set[str]:
        """What any of the runs made."""
        return {edge.target for edge in self.edges if edge.source in self.runs}

    def _label(self, run: str, role: str, *, again: bool) -> Text:
        label = node_label(self.nodes[run], role, again=again)
        data = [
            self.nodes[edge.source].name
            for edge in self.edges
            if edge.target == run and self.nodes[edge.source].kind == "dataset"
        ]
        return label if again or not data else label.append(f" on {', '.join(data)}", style="dim")


def family_tree(graphs: Sequence[Lineage], runs: Sequence[str]) -> Tree:
    """The tree of some runs, the oldest first, from the lineage of each: a model that they began with,
    and below it what came out of it, run by run.
    """
    edges = {
        (edge.source, edge.target, edge.role): edge for graph in graphs for edge in graph.edges
    }
    family = _Family(
        nodes={node.id: node for graph in graphs for node in graph.nodes},
        edges=list(edges.values()),
        runs=[f"run:{run}" for run in runs],
        drawn=set(),
    )
    roots = family.roots()
    if len(roots) == 1:
        tree = Tree(node_label(family.nodes[roots[0]]), guide_style="dim")
        family.grow(tree, roots[0])
        return tree
    tree = Tree("", guide_style="dim", hide_root=True)
    for root in roots:
        family.grow(tree.add(node_label(family.nodes[root])), root)
    return tree
