"""The daemon itself, and what it finds of this machine."""

from __future__ import annotations

from kitchen_daemon.models.base import Model


class DaemonStatus(Model):
    """The daemon, at a glance. queued: the ids of the first of what is queued, in order. queued_count: of all;
    None from an older daemon, which names all.
    """

    version: str
    pid: int
    home: str
    socket: str
    started_at: float
    standby_ready: bool
    running: list[str]
    queued: list[str]
    schema_version: str
    queued_count: int | None = None


class Check(Model):
    """One thing that `kitchen doctor` looked at. optional: nothing is wrong where it is not ok; it only
    can't be used as things are.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
    optional: bool = False
