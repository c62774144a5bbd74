"""What the queue is told: runs that wait, runs that have a worker, the machine, windows and groups.

Plain data, so that a decision can be made of the store, of a night that is only imagined, and of a random history
alike. Times are seconds since the epoch, memory in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kitchen_core.needs import MAIN_GROUP, Needs, Placement
from kitchen_core.telemetry.schema import RunStatus


class Parent(NamedTuple):
    """A run that another comes after. must_complete: ending in another way is not enough."""

    id: str
    name: str
    status: RunStatus
    must_complete: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that wants a worker. seconds: what it is expected to take from here."""

    id: str
    name: str
    needs: Needs
    priority: int = 0
    rank: float = 0.0
    group: str = MAIN_GROUP
    is_held: bool = False
    parents: tuple[Parent, ...] = ()
    not_before: float | None = None
    window: str | None = None
    preempts: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A run that has a worker. leaving: it was asked to stop and has not yet, so its place will be free.
    seconds: what it is expected to take from here. rank, preempts: as it has them when it waits again.
    """

    id: str
    name: str
    placement: Placement
    priority: int = 0
    group: str = MAIN_GROUP
    window: str | None = None
    started_at: float = 0.0
    leaving: bool = False
    seconds: float | None = None
    rank: float = 0.0
    preempts: bool = False


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the queue sees it. foreign: what processes that are not ours use of its memory, by pid; pid 0 where
    the driver doesn't say whose it is.
    """

    uuid: str
    index: int
    name: str
    memory_bytes: int
    foreign: tuple[tuple[int, int], ...] = ()

    @property
    def foreign_bytes(self) -> int:
        """What is not to be had."""
        return sum(used for _, used in self.foreign)


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run on. ram_foreign_bytes: what others use of the RAM. ram_kept_free_bytes: what runs that are
    there together leave free of it.
    """

    slots: int
    ram_bytes: int
    ram_foreign_bytes: int = 0
    gpus: tuple[Gpu, ...] = ()
    ram_kept_free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WindowState:
    """A window at one moment. changes_at: when it opens next, or closes; None: never."""

    is_open: bool
    changes_at: float | None
    at_close: Literal["pause", "finish"] = "pause"


@dataclass(frozen=True, slots=True)
class GroupState:
    """What holds for a group. most_running None: as many as fit."""

    most_running: int | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class QueueState:
    """All that a decision is made of. groups: those of which something holds; `*` is every group."""

    now: float
    waiting: tuple[Waiting, ...]
    running: tuple[Running, ...]
    machine: Machine
    windows: Mapping[str, WindowState] = field(default_factory=dict)
    groups: Mapping[str, GroupState] = field(default_factory=dict)
