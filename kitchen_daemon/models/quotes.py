"""What a run is expected to take, and what it took."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kitchen_daemon.models.base import Model


class MemoryPart(Model):
    """A part of the memory, such as `weights`."""

    name: str
    bytes: int


class Quote(Model):
    """What a run is expected to take. None: nobody can tell before it runs.

    device: what it computes on, in words. memory_bytes: of that device (RAM for a CPU); parts add up to it.
    free_bytes: what nobody has of its memory at this moment, of the GPU that has most.
    steps: optimizer steps. seconds: with a worker, evaluations included. energy_j: of that device. basis:
    `formula`, or `measured` where steps of earlier runs corrected it. notes: what was assumed, a line each.
    """

    device: str
    memory_bytes: int | None
    parts: list[MemoryPart] = Field(default_factory=list)
    free_bytes: int | None = None
    steps: int | None
    seconds_a_step: float | None
    seconds: float | None
    energy_j: float | None
    basis: Literal["formula", "measured"]
    notes: list[str] = Field(default_factory=list)


class QuoteInfo(Model):
    """A run's quote beside what it took so far."""

    memory_bytes: int | None
    seconds: float | None
    seconds_a_step: float | None
    steps: int | None
    energy_j: float | None
    basis: str
    peak_memory_bytes: int | None
    busy_seconds: float | None
    measured_seconds_a_step: float | None
    used_energy_j: float | None
