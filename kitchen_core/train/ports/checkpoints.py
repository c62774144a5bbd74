"""The checkpoints port: what a training service keeps of one's runs, which somebody has to pay for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """One checkpoint at a service.

    path: what the service calls it. kind: `training` can be gone on from, `sampler` only sampled,
    `external` is written for other services to load. created_at, expires_at: seconds
    since the epoch; expires_at None: it is kept for ever. size_bytes: None where the service does not
    say. public: whether others can load it.
    """

    path: str
    kind: Literal["training", "sampler", "external"]
    created_at: float
    expires_at: float | None
    size_bytes: int | None
    public: bool


class Checkpoints(Protocol):
    """Looks after the checkpoints that a service keeps. Every method raises the PortErrors of the way
    there, NotFound for a path that the service does not know, and Unsupported where it can't.
    """

    async def list(self) -> Sequence[KeptCheckpoint]:
        """All of the user's, the newest first."""
        ...

    async def expire(self, path: str, after_s: float | None) -> None:
        """Let it go after so many seconds from now; None keeps it for ever. Raises InvalidRequest for a
        time that the service does not take.
        """
        ...

    async def publish(self, path: str, *, public: bool = True) -> None:
        """Let everybody load it, or no longer."""
        ...

    async def delete(self, path: str) -> None:
        """Drop it now."""
        ...
