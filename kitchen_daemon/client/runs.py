"""Calls that ask something of runs, and read what is known of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_daemon.client.connection import Connection, given, segment
from kitchen_daemon.models import MOST_RUNS, ArtifactInfo, Lineage, RunInfo


class RunCalls(Connection):
    """Runs, by id, unique prefix or name."""

    def runs(
        self, *, status: str | None = None, recipe: str | None = None, limit: int | None = None
    ) -> list[RunInfo]:
        """Runs, newest first, at most `limit`."""
        portions = self.runs_in_portions(status=status, recipe=recipe, limit=limit)
        return [run for portion in portions for run in portion]

    def runs_in_portions(
        self, *, status: str | None = None, recipe: str | None = None, limit: int | None = None
    ) -> Iterator[list[RunInfo]]:
        """The same, as many at a time as one answer holds."""
        left, before = math.inf if limit is None else limit, None
        while left > 0:
            asked = {"limit": int(min(left, MOST_RUNS)), "before": before}
            params = given({"status": status, "recipe": recipe, **asked})
            found = self._many(RunInfo, "GET", "/runs", params=params)
            if not found or found[-1].id == before:  # a daemon of an older version begins anew
                return
            yield found
            before, left = found[-1].id, left - len(found)
            if len(found) < asked["limit"]:
                return

    def run(self, run: str) -> RunInfo:
        """One run."""
        return self._one(RunInfo, "GET", f"/runs/{segment(run)}")

    def cancel(self, run: str) -> RunInfo:
        """Ask a run to end."""
        return self._one(RunInfo, "POST", f"/runs/{segment(run)}/cancel")

    def pause(self, run: str) -> RunInfo:
        """Ask a run to save itself and stop for now."""
        return self._one(RunInfo, "POST", f"/runs/{segment(run)}/pause")

    def resume(self, run: str, *, replace: bool = False) -> RunInfo:
        """Queue a run that stopped, to go on from its last checkpoint; `replace` a worker that
        does not respond.
        """
        return self._one(
            RunInfo, "POST", f"/runs/{segment(run)}/resume", params={"replace": replace}
        )

    def retry(self, run: str) -> RunInfo:
        """Queue a new run with the same revision, config and pins."""
        return self._one(RunInfo, "POST", f"/runs/{segment(run)}/retry")

    def events(
        self,
        run: str,
        *,
        after_seq: int = 0,
        kinds: Sequence[EventKind] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """A run's events in order, all or those of some kinds."""
        params = {"after_seq": after_seq, "kind": kinds, "limit": limit}
        return self._many(Event, "GET", f"/runs/{segment(run)}/events", params=given(params))

    def metrics(
        self, run: str, names: list[str] | None = None
    ) -> dict[str, list[list[float | None]]]:
        """Series as `{name: [[step, value], ...]}`."""
        return self._call(
            "GET", f"/runs/{segment(run)}/metrics", params={"name": names or []}
        ).json()

    def chart(self, run: str, name: str, points: int) -> list[list[float | None]]:
        """A series in at most `points` buckets: `[first step, last step, min, max, last]` each."""
        return self._call(
            "GET", f"/runs/{segment(run)}/chart", params={"name": name, "points": points}
        ).json()

    def artifacts(self, run: str) -> list[ArtifactInfo]:
        """What a run made."""
        return self._many(ArtifactInfo, "GET", f"/runs/{segment(run)}/artifacts")

    def log(self, run: str, *, lines: int | None = None) -> list[str]:
        """What the run's workers printed, the last `lines` of it."""
        return self._call("GET", f"/runs/{segment(run)}/log", params=given({"lines": lines})).json()

    def lineage(self, node: str) -> Lineage:
        """Everything upstream and downstream of a run or an artifact."""
        return self._one(Lineage, "GET", f"/lineage/{segment(node)}")
