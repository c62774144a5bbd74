"""Clients that follow the live stream and note which events it brings."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.load.signals import signals
from kitchen_core.home import Home
from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.client import Client


@dataclass
class Followed:
    """What a follower was told. seqs: of each run, in the order of coming. delays: of each event, in seconds from
    happening to being known here.
    """

    run: str | None
    seqs: dict[str, list[int]] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)


def follow(home: Home, run: str | None, runs: set[str], cursor: str) -> Followed:
    """Follow one run, or everything, until these runs have completed."""
    followed, left = Followed(run), set(runs)
    signals().await_begin()
    with Client(home) as client:
        for item in client.stream(run, cursor=cursor):
            event = item.event
            if event is None or event.run_id not in runs or event.seq is None:
                continue
            followed.seqs.setdefault(event.run_id, []).append(event.seq)
            followed.delays.append(time.time() - event.at)
            if event.kind is EventKind.RUN_COMPLETED:
                left.discard(event.run_id)
                if not left:
                    break
    return followed
