"""A service that keeps checkpoints which were put in by hand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from kitchen_core.train.ports.checkpoints import KeptCheckpoint
from kitchen_core.train.ports.errors import InvalidRequest, NotFound


class MemoryCheckpoints:
    """Checkpoints that exist only here. clock: seconds since the epoch; what has expired is gone."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[str, KeptCheckpoint] = {}

    def put(self, checkpoint: KeptCheckpoint) -> None:
        """Let there be this checkpoint."""
        self._kept[checkpoint.path] = checkpoint

    async def list(self) -> Sequence[KeptCheckpoint]:
        """All that have not expired, the newest first."""
        now = self._clock()
        kept = [each for each in self._kept.values() if (each.expires_at or math.inf) > now]
        self._kept = {each.path: each for each in kept}
        return sorted(kept, key=lambda each: each.created_at, reverse=True)

    async def expire(self, path: str, after_s: float | None) -> None:
        """Let it go after so many seconds; None keeps it for ever. Raises NotFound or InvalidRequest."""
        if after_s is not None and not 0 < after_s < math.inf:
            raise InvalidRequest(
                f"after_s is {after_s}",
                hint="It must be above 0 and finite, or none to keep it for ever.",
                **_where("expire", path),
            )
        kept = await self._find("expire", path)
        expires_at = None if after_s is None else self._clock() + after_s
        self._kept[path] = replace(kept, expires_at=expires_at)

    async def publish(self, path: str, *, public: bool = True) -> None:
        """Let everybody load it, or no longer. Raises NotFound."""
        kept = await self._find("publish" if public else "unpublish", path)
        self._kept[path] = replace(kept, public=public)

    async def delete(self, path: str) -> None:
        """Drop it now. Raises NotFound."""
        await self._find("delete", path)
        del self._kept[path]

    async def probe(self) -> str:
        """It is always there."""
        return "in memory"

    async def _find(self, asked: str, path: str) -> KeptCheckpoint:
        if found := next((kept for kept in await self.list() if kept.path == path), None):
            return found
        raise NotFound(
            f"there is no checkpoint {path}",
            hint="See which there are: kitchen checkpoints",
            **_where(asked, path),
        )


def _where(asked: str, path: str) -> dict[str, str]:
    return {"port": "checkpoints", "adapter": "memory", "asked": f"{asked} {path}"}
