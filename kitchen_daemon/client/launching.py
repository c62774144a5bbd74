"""Calls that plan, show and queue runs."""

from __future__ import annotations

from kitchen_daemon.client.connection import SLOW_CALL_TIMEOUT_S, Connection
from kitchen_daemon.models import Launch, Plan, Quote, Rendering, RenderRequest, RunInfo


class LaunchCalls(Connection):
    """Before a run."""

    def plan(self, launch: Launch) -> Plan:
        """What a launch would do."""
        return self._one(Plan, "POST", "/plans", json=launch.model_dump())

    def quote(self, launch: Launch) -> Quote:
        """What a launch is expected to take."""
        return self._one(Quote, "POST", "/quotes", json=launch.model_dump())

    def render(self, request: RenderRequest) -> Rendering:
        """Rows as a launch would train on them; nothing is queued."""
        body = request.model_dump()
        return self._one(Rendering, "POST", "/renderings", json=body, timeout=SLOW_CALL_TIMEOUT_S)

    def launch(self, launch: Launch) -> RunInfo:
        """Queue a run."""
        return self._one(RunInfo, "POST", "/runs", json=launch.model_dump())
