"""Named random streams: every random choice of a run comes from its seed and a name, and from
nothing else.

A stream depends on what it is for ("shuffle", 3), never on how many numbers were drawn before. So a
resumed run needs no generator state to go on as if it had not stopped.
"""

from __future__ import annotations

import hashlib

import numpy as np


def seed_for(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream that `names` call, derived from the run's seed by SHA-256."""
    text = "/".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A fresh generator at the start of the named stream."""
    return np.random.default_rng(seed_for(seed, *names))
