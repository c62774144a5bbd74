"""What came of a load: the figures, and whether anything was lost."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.load.asking import LISTS, Call
from benchmarks.load.following import Followed
from benchmarks.load.watching import Use, Watch
from benchmarks.load.writing import Written
from kitchen_core.store import Store

MIB = 2**20


@dataclass(frozen=True)
class Spread:
    """How times are spread, in milliseconds."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Of so many times. A percentile is the smallest value that so many in a hundred don't exceed."""
        ordered = sorted(seconds)

        def at(percent: int) -> float:
            return ordered[-(-len(ordered) * percent // 100) - 1] * 1e3

        return cls(len(ordered), at(50), at(95), at(99), ordered[-1] * 1e3)


@dataclass(frozen=True)
class Outcome:
    """What came of a load. lost: one line for each place where an event is missing, twice or out of order.
    events_per_s: that the workers wrote, all together. load: the machine's load average, the most.
    """

    calls: dict[str, Spread]
    delivery: Spread
    events: int
    events_per_s: float
    slowest_append_ms: float
    lost: list[str]
    uses: list[Use]
    sizes_mib: dict[str, float]
    load: float

    @classmethod
    def of(
        cls,
        store: Store,
        written: Sequence[Written],
        followed: Sequence[Followed],
        calls: Sequence[Call],
        watch: Watch,
    ) -> Self:
        """Of what all parts have noted."""
        return cls(
            calls=_by_kind(calls),
            delivery=Spread.of([delay for each in followed for delay in each.delays]),
            events=sum(each.events for each in written),
            events_per_s=sum(each.events / each.seconds for each in written),
            slowest_append_ms=max(each.slowest for each in written) * 1e3,
            lost=_lost(store, written, followed),
            uses=list(watch.uses.values()),
            sizes_mib={path.name: size / MIB for path, size in watch.sizes.items()},
            load=watch.load,
        )


def _by_kind(calls: Sequence[Call]) -> dict[str, Spread]:
    times: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        times[call.kind].append(call.seconds)
        if call.kind in LISTS:
            times["lists and the queue"].append(call.seconds)
    return {kind: Spread.of(seconds) for kind, seconds in sorted(times.items())}


def _lost(store: Store, written: Sequence[Written], followed: Sequence[Followed]) -> list[str]:
    """Where the log is not what was written: every number once, in order, and no other."""
    lost: list[str] = []
    logs: dict[str, list[int]] = {}
    for each in written:
        events = store.read_events(run_id=each.run_id)
        logs[each.run_id] = seqs = [event.seq for event in events if event.seq is not None]
        if seqs != list(range(1, len(seqs) + 1)):
            lost.append(f"the store's numbers of run {each.run_id} have a gap")
        told = [event.step for event in events if event.kind == "log"]
        if told != list(range(each.events)):
            lost.append(f"the store has {len(told)} of {each.events} events of run {each.run_id}")
    for place, follower in enumerate(followed):
        for each in written:
            seqs = follower.seqs.get(each.run_id, [])
            # The stream began after what the run was given before: all from there on, each once, its end included.
            is_whole = len(seqs) > each.events and seqs == logs[each.run_id][-len(seqs) :]
            if follower.run in (None, each.run_id) and not is_whole:
                lost.append(f"follower {place} had {len(seqs)} events of run {each.run_id}")
    return lost


def show(outcome: Outcome, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(asdict(outcome)))
        return
    console = Console()
    console.print(_calls(outcome))
    console.print(_uses(outcome))
    rate = f"{outcome.events:,} events at {outcome.events_per_s:,.0f}/s"
    print(f"{rate}, the slowest append {outcome.slowest_append_ms:.0f} ms")
    print(
        "\n".join(outcome.lost)
        or "every event once and in order, in the store and at all followers"
    )
    sizes = ", ".join(f"{name} {size:,.0f} MiB" for name, size in outcome.sizes_mib.items())
    print(f"{sizes}; load average {outcome.load:.1f}")


def _calls(outcome: Outcome) -> Table:
    shown = Table("ms", "count", "p50", "p95", "p99", "max", box=box.SIMPLE)
    for kind, spread in (outcome.calls | {"an event to a follower": outcome.delivery}).items():
        times = (spread.p50, spread.p95, spread.p99, spread.max)
        shown.add_row(kind, f"{spread.count:,}", *(f"{time:,.1f}" for time in times))
    return shown


def _uses(outcome: Outcome) -> Table:
    shown = Table("process", "RSS MiB", "PSS MiB", "cores", box=box.SIMPLE)
    for use in outcome.uses:
        shown.add_row(use.name, f"{use.rss / MIB:,.0f}", f"{use.pss / MIB:,.0f}", f"{use.cpu:.2f}")
    return shown
