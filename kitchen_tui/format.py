"""Numbers, times and sizes as people read them."""

from __future__ import annotations

import math
import time

NOTHING = "–"
_SIZES = ("B", "kB", "MB", "GB", "TB")


def number(value: float | None) -> str:
    """Four significant digits; whole numbers whole."""
    if value is None:
        return NOTHING
    if abs(value) < 1e7 and (value == int(value) or abs(value) >= 1e4):
        return str(round(value))
    return _short_exponent(f"{value:.4g}")


def _short_exponent(text: str) -> str:
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def signed(value: float | None) -> str:
    """Three significant digits with a sign, zero without one."""
    if not value:
        return number(value)
    return ("+" if value > 0 else "-") + _short_exponent(f"{abs(value):.3g}")


def with_error(value: float, error: float) -> str:
    """A value to the place of its error's second digit: `0.610 ± 0.023`."""
    if not error:
        return f"{number(value)} ± 0"
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{places}f} ± {error:.{places}f}"


def percent(share: float | None) -> str:
    """0.421 as 42.1 %."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """The two largest units: 0.4s, 12s, 3m 04s, 2h 05m, 1d 03h."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def age(at: float | None) -> str:
    """How long ago a time was, in its largest unit."""
    return NOTHING if at is None else f"{duration(time.time() - at).split()[0]} ago"


def ahead(at: float) -> str:
    """How long it is until a time, in its largest unit."""
    return f"in {duration(at - time.time()).split()[0]}"


def clock(at: float) -> str:
    """The local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    """A local time to come, as short as it can be told: 22:00, Fri 22:00, 2026-12-24 22:00."""
    then, now = time.localtime(at), time.localtime()
    if then[:3] == now[:3]:
        return time.strftime("%H:%M", then)
    if 0 <= at - time.time() < 6 * 86400:
        return time.strftime("%a %H:%M", then)
    return time.strftime("%Y-%m-%d %H:%M", then)


def date(at: float | None) -> str:
    """The local day and time."""
    return NOTHING if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def size(count: float) -> str:
    """Bytes with a decimal unit."""
    for unit in _SIZES:
        if count < 999.5 or unit == _SIZES[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError("the last unit takes every size")


def one_line(text: str, width: int) -> str:
    """Text with its white space folded, cut to `width` with an ellipsis."""
    folded = " ".join(text.split())
    return folded if len(folded) <= width else folded[: max(width - 1, 0)] + "…"
