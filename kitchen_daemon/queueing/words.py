"""Reasons, as people read them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

OTHERS = "other programs"
_DAY_S = 86400.0


def size(count: float) -> str:
    """Bytes: `9.4 GB`, `14 GB`, `350 MB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= 0.9995 * scale:
            return f"{_short(count / scale)} {unit}"
    return f"{count / 1e3:.0f} kB" if count else "0 GB"


def _short(value: float) -> str:
    rounded = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    return rounded.removesuffix(".0")


def moment(at: float, now: float) -> str:
    """A time of day, with the day where it is not today: `at 22:00`, `on Friday at 22:00`."""
    then, today = time.localtime(at), time.localtime(now)
    clock = f"at {then.tm_hour:02d}:{then.tm_min:02d}"
    if then[:3] == today[:3]:
        return clock
    if then[:3] == time.localtime(_noon(today) + _DAY_S)[:3]:
        return f"tomorrow {clock}"
    if 0 <= at - now < 6 * _DAY_S:
        return f"{time.strftime('on %A', then)} {clock}"
    day = time.strftime("%B", then)
    year = "" if then.tm_year == today.tm_year else f" {then.tm_year}"
    return f"on {then.tm_mday} {day}{year} {clock}"


def _noon(day: time.struct_time) -> float:
    """Far from midnight, a day more is always the next day, however long the night is."""
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 12, 0, 0, 0, 0, -1))


def listed(names: Sequence[str]) -> str:
    """`X`, `X and Y`, `X, Y and Z`, `X, Y and 3 more`."""
    if len(names) > 3:
        return f"{names[0]}, {names[1]} and {len(names) - 2} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def count(number: int, thing: str) -> str:
    """`1 GPU`, `2 GPUs`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def uses(users: Iterable[tuple[str, int | None]]) -> str:
    """Who uses how much, the largest first: `pid 812 uses 14 GB`, `X uses 6 GB and pid 7 2 GB`."""
    largest = sorted(users, key=lambda user: -(user[1] or 0))[:3]
    if not largest:
        return "nobody uses it"
    name, used = largest[0]
    verb = "use" if name == OTHERS else "uses"
    first = f"{name} {verb} {size(used) if used is not None else 'it'}"
    others = [f"{name} {size(used)}" for name, used in largest[1:] if used]
    return listed([first, *others])


def process(pid: int) -> str:
    """A process that is not ours."""
    return f"pid {pid}" if pid else "another program"
