"""What a launch asks the queue to keep for its run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kitchen_core.config import ConfigError
from kitchen_core.needs import Needs
from kitchen_daemon.models import Launch, Quote
from kitchen_daemon.queueing import words

MARGIN = 1.1
"""What is kept over the quote: cold quotes of the runs in `benchmarks.quotes` are at most 8 % too low."""

MOST_OF_RAM, MOST_OF_A_GPU = 0.75, 0.9
"""What a run waits for at most because it was quoted so: the rest a system itself may hold all the time."""

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b)", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def needs_of(launch: Launch, config: Mapping[str, Any], quote: Quote, memory_bytes: int) -> Needs:
    """What a run needs while it has a worker. memory_bytes: of its device, all of it.

    Memory that was quoted is kept with a margin, but never so much of the device that a run which may fit is not
    tried. A GPU's is kept only where the run shares it: else it has the GPU alone. Raises ConfigError.
    """
    on_gpu = config["device"] == "cuda"
    asked, shares = _asked(launch.memory, on_gpu, memory_bytes)
    if launch.gpus is not None and not on_gpu:
        raise ConfigError(f"gpus={launch.gpus}: given for a run on the CPU; set device=cuda")
    needs = Needs(
        device="cuda" if on_gpu else "cpu",
        gpus=launch.gpus or 1,
        threads=config["threads"],
        memory_bytes=asked,
        shares=shares,
        is_asked=asked is not None,
    )
    return needs_by_quote(needs, quote, memory_bytes)


def needs_by_quote(needs: Needs, quote: Quote, memory_bytes: int) -> Needs:
    """The needs with the memory that is quoted now, unless the user asked for memory."""
    if needs.is_asked:
        return needs
    most = MOST_OF_A_GPU if needs.device == "cuda" else MOST_OF_RAM
    quoted = quote.memory_bytes
    kept = None if quoted is None else round(min(MARGIN * quoted, most * memory_bytes))
    return needs.model_copy(update={"memory_bytes": kept})


def _asked(text: str | None, on_gpu: bool, memory_bytes: int) -> tuple[int | None, bool]:
    """The bytes that a launch asks for, and whether the rest of its GPU may be others'."""
    if text is None:
        return None, False
    given = text.strip()
    if given.lower() == "all":
        return memory_bytes, False
    if share := _SHARE.fullmatch(given):
        part = float(share[1]) / 100
        if not on_gpu:
            raise ConfigError(
                f"memory={text}: a share is of a GPU; give a run on the CPU bytes, such as 4GB"
            )
        if 0 < part <= 1:
            return round(part * memory_bytes), True
    if size := _SIZE.fullmatch(given):
        wanted = round(float(size[1]) * _UNITS[size[2].upper()])
        if 0 < wanted <= memory_bytes:
            return wanted, on_gpu
        where = "a GPU" if on_gpu else "this machine"
        raise ConfigError(f"memory={text}: {where} has {words.size(memory_bytes)}")
    raise ConfigError(f"memory={text}: expected a size such as 12GB or 500MB, 50% of a GPU, or all")
