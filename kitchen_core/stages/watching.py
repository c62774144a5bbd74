"""Long passes over data: they can be stopped, and say now and then how far they are."""

from __future__ import annotations

import time

from kitchen_core.telemetry.schema import EventKind
from kitchen_core.workflow.context import StageContext

SAY_EVERY_S = 10.0


class Watch:
    """What a pass calls between two slices.

    doing: what is done to the rows, in words. total: how many there will be, where that is known.
    """

    def __init__(self, ctx: StageContext, doing: str, total: int | None = None) -> None:
        self._ctx = ctx
        self._doing = doing
        self._total = total
        self._said_at = time.monotonic()

    def __call__(self, done: int) -> None:
        """Raise Interrupted where the run was asked to stop."""
        self._ctx.run.check_interrupted()
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_S:
            self._said_at = now
            of = f" of {self._total:,}" if self._total else ""
            self._ctx.event(
                EventKind.LOG, level="info", message=f"{self._doing}: {done:,}{of} rows"
            )
