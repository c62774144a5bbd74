"""Calls about the queue: what runs and waits, in which order, and what is asked of those that wait."""

from __future__ import annotations

from typing import Literal

from kitchen_daemon.client.connection import Connection, given, segment
from kitchen_daemon.models import (
    GroupChange,
    Move,
    QueueInfo,
    QueuePause,
    RunChange,
    RunInfo,
)


class QueueCalls(Connection):
    """The queue. Runs are named by id, unique prefix or name."""

    def queue(self, *, group: str | None = None, limit: int | None = None) -> QueueInfo:
        """What runs, and the first `limit` of what waits; of one group, or all."""
        params = given({"group": group, "limit": limit})
        return self._one(QueueInfo, "GET", "/queue", params=params)

    def pause_queue(self, *, group: str | None = None, let_finish: bool = False) -> QueueInfo:
        """Start nothing more of a group, or at all; what runs saves itself and stops, unless `let_finish`."""
        asked = QueuePause(group=group, let_finish=let_finish)
        return self._one(QueueInfo, "POST", "/queue/pause", json=asked.model_dump())

    def resume_queue(self, *, group: str | None = None) -> QueueInfo:
        """End a pause of a group, or of every group."""
        return self._one(QueueInfo, "POST", "/queue/resume", params=given({"group": group}))

    def set_group(self, name: str, most_running: int | None) -> QueueInfo:
        """Let so many runs of a group run at the same time; None: as many as fit."""
        asked = GroupChange(name=name, most_running=most_running)
        return self._one(QueueInfo, "PUT", "/queue/groups", json=asked.model_dump())

    def hold(self, run: str) -> RunInfo:
        """Keep a waiting run from starting until it is released."""
        return self._one(RunInfo, "POST", f"/runs/{segment(run)}/hold")

    def release(self, run: str) -> RunInfo:
        """Let a held run go."""
        return self._one(RunInfo, "POST", f"/runs/{segment(run)}/release")

    def move(
        self,
        run: str,
        to: Literal["first", "last", "before", "after"],
        other: str | None = None,
    ) -> RunInfo:
        """Give a waiting run another place; `before` and `after` name another that waits."""
        asked = Move(to=to, run=other)
        return self._one(RunInfo, "POST", f"/runs/{segment(run)}/move", json=asked.model_dump())

    def change(self, run: str, *, priority: int | None = None, group: str | None = None) -> RunInfo:
        """Give a waiting run another priority, or put it into another group."""
        asked = RunChange(priority=priority, group=group)
        return self._one(RunInfo, "PATCH", f"/runs/{segment(run)}/queue", json=asked.model_dump())
