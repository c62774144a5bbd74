"""A worker process as the daemon sees it: watched until it ends.

It is a session of its own and outlives the daemon.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

from kitchen_daemon.process import ProcessIdentity


@dataclass
class Worker:
    """One worker process. exit_code: told by its fork server; None for one of an earlier daemon."""

    identity: ProcessIdentity
    exit_code: asyncio.Future[int | None] | None = None

    async def wait(self) -> int | None:
        """Its exit code once it has ended; None where only its parent could know."""
        await self.identity.wait_gone()
        return await asyncio.shield(self.exit_code) if self.exit_code else None

    def ask_to_stop(self) -> None:
        """SIGTERM, and SIGCONT in case it was stopped: it reads the run's intent."""
        self.identity.signal(signal.SIGTERM)
        self.identity.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self.identity.signal(signal.SIGKILL)
