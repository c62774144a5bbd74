"""Lineage: what came out of what."""

from __future__ import annotations

import sqlite3
import time

from kitchen_core.store.database import Database
from kitchen_core.store.errors import Ambiguous, NotFound
from kitchen_core.store.records import Edge
from kitchen_core.telemetry.ports import Node

_REACHABLE = """
WITH RECURSIVE
  upstream(id) AS (
    VALUES (:start) UNION SELECT edge.source FROM edge JOIN upstream ON edge.target = upstream.id
  ),
  downstream(id) AS (
    VALUES (:start) UNION SELECT edge.target FROM edge JOIN downstream ON edge.source = downstream.id
  )
"""
_NODES = f"""{_REACHABLE}
SELECT id, kind, name, sha256 FROM node
WHERE id IN (SELECT id FROM upstream UNION SELECT id FROM downstream) ORDER BY rowid
"""
_EDGES = f"""{_REACHABLE}
SELECT source, target, role FROM edge
WHERE (source IN upstream AND target IN upstream) OR (source IN downstream AND target IN downstream)
ORDER BY rowid
"""


class Lineage:
    """The store's lineage graph. A node is `run:ID`, `artifact:SHA256`, or something outside."""

    db: Database

    def upsert_node(self, node: Node) -> None:
        """Keep a node, or give a known one its new kind and name."""
        with self.db.write(durable=False) as connection:
            put_node(connection, node)

    def add_edge(self, source: Node, target: Node, role: str) -> None:
        """Record once that `target` came out of `source`; nodes that are not known yet are kept."""
        with self.db.write(durable=False) as connection:
            put_edge(connection, source, target, role)

    def find_node(self, text: str) -> Node:
        """The node of content by its SHA-256 or a unique prefix. Raises NotFound, Ambiguous."""
        sql = "SELECT id, kind, name, sha256 FROM node WHERE substr(sha256, 1, length(?1)) = lower(?1)"
        rows = self.db.rows(sql, (text,)) if text else []
        if not rows:
            raise NotFound("run or content", text)
        if len(rows) > 1:
            raise Ambiguous("node", text, [f"{row['sha256'][:12]} ({row['name']})" for row in rows])
        return Node(*rows[0])

    def graph(self, start: str) -> tuple[list[Node], list[Edge]]:
        """All that a node came out of and all that came out of it, itself included, in order of recording.

        Raises NotFound.
        """
        nodes = [Node(*row) for row in self.db.rows(_NODES, {"start": start})]
        if not nodes:
            raise NotFound("lineage node", start)
        return nodes, [Edge(*row) for row in self.db.rows(_EDGES, {"start": start})]


def run_node(run_id: str, name: str) -> Node:
    """The node of a run."""
    return Node(f"run:{run_id}", "run", name)


def artifact_node(sha256: str, name: str) -> Node:
    """The node of stored content."""
    return Node(f"artifact:{sha256}", "artifact", name, sha256)


def put_node(connection: sqlite3.Connection, node: Node) -> None:
    """Insert or rename a node within the caller's transaction."""
    connection.execute(
        "INSERT INTO node (id, kind, name, sha256) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET kind = excluded.kind, name = excluded.name, sha256 = coalesce(excluded.sha256, sha256)",
        node,
    )


def put_edge(connection: sqlite3.Connection, source: Node, target: Node, role: str) -> None:
    """Insert an edge, and its nodes where they are missing, within the caller's transaction."""
    connection.executemany(
        "INSERT INTO node (id, kind, name, sha256) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [source, target],
    )
    connection.execute(
        "INSERT INTO edge (source, target, role, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (source.id, target.id, role, time.time()),
    )
