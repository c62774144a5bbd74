"""How long a server asks to be left alone, from the headers of its answer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, as `retry-after-ms` or `Retry-After` (RFC 9110, 10.2.3: seconds or a date) say; None where
    neither says anything that can be read.

    headers: by lower-case names. A date counts from the answer's own `Date`, where there is one: the
    clocks of two machines differ.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    seconds = _number(said)
    if seconds is not None:
        return seconds
    until = _moment(said)
    if until is None:
        return None
    answered = _moment(headers.get("date"))
    return max(0.0, until - (time.time() if answered is None else answered))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _moment(text: str | None) -> float | None:
    """Seconds since the epoch."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None
