"""What a run asks of the machine, and what it was given of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAIN_GROUP = "main"
"""The group of runs that were put into none."""

EVERY_GROUP = "*"
"""All groups together: what holds for it holds for the whole queue."""


class Needs(BaseModel):
    """What a run needs while it has a worker.

    gpus: how many, for device `cuda`. threads: CPU slots, for device `cpu`. memory_bytes: of each GPU's
    memory, or of RAM for device `cpu`; None where nobody can tell. shares: it leaves the rest of its GPU to
    other runs; else it has it alone. is_asked: the memory is what its user asked for, not what was quoted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Literal["cpu", "cuda"] = "cpu"
    gpus: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=1, ge=1)
    memory_bytes: int | None = Field(default=None, ge=0)
    shares: bool = False
    is_asked: bool = False


class Placement(BaseModel):
    """Where a run has its place. gpus: by UUID, as the driver gives them, which stay the same across boots;
    none for device `cpu`. slots: CPU slots. memory_bytes: as in Needs, what is kept for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpus: tuple[str, ...] = ()
    slots: int = 0
    memory_bytes: int | None = None
    shares: bool = False
