"""What came from what."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from kitchen_daemon.models.base import Model


class LineageNode(Model):
    """A run, or content: a dataset, a model, a recipe revision, an artifact."""

    id: str
    kind: str
    name: str
    sha256: str | None = None


class LineageEdge(Model):
    """`to` came out of `from`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    role: str


class Lineage(Model):
    """Everything upstream and downstream of one node."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]
