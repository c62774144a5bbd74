"""Run ids: short, sortable by time, unique."""

from __future__ import annotations

import secrets
import time

ID_LENGTH = 12

# Crockford's base 32 leaves out i, l, o and u, which are misread.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH_MS = 1_735_689_600_000  # 2025-01-01: eight characters then last until 2059
_TIME_LENGTH = 8


def new_id(at: float | None = None) -> str:
    """Twelve characters: eight for the millisecond (`at`, seconds since the epoch), four by chance."""
    milliseconds = int((time.time() if at is None else at) * 1000) - _EPOCH_MS
    chance_length = ID_LENGTH - _TIME_LENGTH
    return _base32(milliseconds, _TIME_LENGTH) + _base32(
        secrets.randbits(5 * chance_length), chance_length
    )


def _base32(number: int, length: int) -> str:
    digits = [_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length))]
    return "".join(digits)
