"""What goes over the socket about the checkpoints that services keep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kitchen_daemon.models import Model


class CheckpointInfo(Model):
    """One checkpoint at a service. path: what the service calls it. Times in seconds since the epoch;
    expires_at none: it is kept for ever. size_bytes: none where the service does not say. run: the run
    that made it, where this kitchen knows.
    """

    path: str
    kind: Literal["training", "sampler", "external"]
    created_at: float
    expires_at: float | None
    size_bytes: int | None
    public: bool
    run: str | None = None


class CheckpointChange(Model):
    """What is to become of one. manifest: whose service keeps it. after_s: of `expire`, seconds from now;
    none keeps it for ever.
    """

    manifest: str
    path: str = Field(min_length=1)
    action: Literal["expire", "publish", "unpublish", "delete"]
    after_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
