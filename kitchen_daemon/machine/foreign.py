"""What others use. Memory is counted once: what is ours and what is theirs never exceed what is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kitchen_daemon.machine.tenants import Holding, Tenant

UNKNOWN_PID = 0


def foreign_use(
    used: int, holdings: Iterable[Holding], tenants: Sequence[Tenant]
) -> tuple[tuple[int, int], ...]:
    """What processes that are not ours hold of a GPU's memory: (pid, bytes), pid 0 where nobody can be found to.

    tenants: the runs that have a place on it. One whose memory the driver hides is taken to hold what its place is;
    without a size, all that nobody else holds.
    """
    known = [each for each in holdings if each.memory_bytes is not None and each.pid is not None]
    seen = {each.run for each in known}
    left = used
    foreign = []
    for holding in sorted(known, key=lambda each: each.run is None):  # ours first
        taken = min(left, holding.memory_bytes or 0)
        left -= taken
        if holding.run is None and taken:
            foreign.append((holding.pid or UNKNOWN_PID, taken))
    for tenant in tenants:
        if tenant.run not in seen:
            size = tenant.placement.memory_bytes
            left -= left if size is None else min(left, size)
    if left:
        foreign.append((UNKNOWN_PID, left))
    return tuple(foreign)
