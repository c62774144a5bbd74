"""A policy of one number, and a workflow that trains it on what it gave: everything that an async
loop needs, in plain arithmetic.

What is sampled is a function of the item, the step it is for and the weights it came from; the weights
after a step are a function of those before it and of what was trained on. So the last weights tell
everything apart that can be told apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kitchen_core.store import RunWriter, Store
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.workflow.buffer import Buffer
from kitchen_core.workflow.checkpoint import save_checkpoint
from kitchen_core.workflow.context import RunContext, StageContext
from kitchen_core.workflow.graph import (
    Count,
    Node,
    Predicate,
    async_loop,
    every,
    stage,
    when,
)
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflow.stage import Keeping
from tests.kitchen_core.store.support import next_attempt
from tests.kitchen_core.workflow.support import Config, context, make_stage, putting, workflow

MODULUS = 1_000_003


@dataclass(frozen=True)
class Sampled:
    """What the policy gave: for an item and a step, from a version of its weights."""

    item: int
    step: int
    version: int
    value: int


class Policy:
    """The weights, and how many steps they have had. A stateful value."""

    fingerprint = "policy"

    def __init__(self) -> None:
        self.weights, self.version = 1, 0

    def train(self, sampled: Sampled) -> None:
        self.weights = (self.weights * 31 + sampled.value) % MODULUS
        self.version += 1

    async def save_state(self, folder: Path) -> None:
        (folder / "policy").write_text(f"{self.weights} {self.version}")

    async def load_state(self, folder: Path) -> None:
        self.weights, self.version = map(int, (folder / "policy").read_text().split())


@dataclass
class Snapshot:
    """The weights of one version, until it is closed."""

    weights: int
    version: int
    open: set[int]

    def __post_init__(self) -> None:
        self.open.add(id(self))

    async def close(self) -> None:
        self.open.remove(id(self))


Pace = Callable[["Setup", StageContext], Awaitable[None]]
"""What is waited for."""


async def at_once(setup: Setup, ctx: StageContext) -> None:
    """Nothing."""


def once(holds: Callable[[Setup], bool]) -> Pace:
    """Something that holds of what was told and trained."""
    return lambda setup, ctx: setup.until(holds)


@dataclass
class Setup:
    """How a run of these tests goes, and what is seen of it.

    producing, training: what is waited for in each product's making, and before each step. told: what
    happened, in order. open: snapshots that are held.
    """

    lag: int = 0
    exact: bool = True
    items: Sequence[int] = (0, 10, 20, 30, 40, 50)
    producing: Pace = at_once
    training: Pace = at_once
    told: list[str] = field(default_factory=list)
    trained: list[Sampled] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    policy: Policy = field(default_factory=Policy)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, holds: Callable[[Setup], bool]) -> None:
        """Wait until something holds of what was told and trained."""
        while not holds(self):
            await self.changed.wait()

    def tell(self, text: str) -> None:
        """Note what happened, and wake who waits for it."""
        self.told.append(text)
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def begun(self) -> int:
        return sum(each.startswith("begin") for each in self.told)

    @property
    def made(self) -> int:
        return sum(each.startswith("made") for each in self.told)

    @property
    def versions(self) -> list[int]:
        return [sampled.version for sampled in self.trained]

    @property
    def seen(self) -> list[int]:
        return [sampled.item for sampled in self.trained]

    def body(self) -> tuple[Node, ...]:
        return (
            stage(putting("items", self.items)),
            stage(putting("policy", self.policy)),
            stage(putting("buffer", Buffer(asdict, lambda plain: Sampled(**plain)))),
            async_loop(
                "steps",
                self._stage("Train", self._train, ("policy", "item", "sampled")),
                over="items",
                item="item",
                product="sampled",
                buffer="buffer",
                begin=(self._stage("Take", self._take, ("policy", "item"), "snapshot"),),
                producer=(self._stage("Sample", self._sample, ("snapshot", "item"), "sampled"),),
                lag=Count("lag", lambda _: self.lag),
                exact=Predicate("it is", lambda _: self.exact),
                between=(when(every("look_every"), self._stage("Save", self._save)),),
            ),
        )

    def _stage(
        self,
        name: str,
        work: Callable[[StageContext], Any],
        reads: tuple[str, ...] = (),
        writes: str | None = None,
    ) -> Node:
        written = {writes: Keeping.REBUILT} if writes else {}
        return stage(make_stage(name, work, reads=reads, writes=written))

    def _take(self, ctx: StageContext) -> None:
        policy: Policy = ctx.state["policy"]
        ctx.state["snapshot"] = Snapshot(policy.weights, policy.version, self.open)
        self.tell(f"begin {ctx.step} from {policy.version}")

    async def _sample(self, ctx: StageContext) -> None:
        await self.producing(self, ctx)
        snapshot, item = ctx.state["snapshot"], ctx.state["item"]
        value = (snapshot.weights + 7 * item + 1) * (ctx.step + 3) % MODULUS
        ctx.state["sampled"] = Sampled(item, ctx.step, snapshot.version, value)
        self.tell(f"made {ctx.step}")

    async def _train(self, ctx: StageContext) -> None:
        await self.training(self, ctx)
        sampled: Sampled = ctx.state["sampled"]
        assert (sampled.item, sampled.step) == (ctx.state["item"], ctx.step)
        self.trained.append(sampled)
        ctx.state["policy"].train(sampled)
        self.tell(f"train {ctx.step}")

    async def _save(self, ctx: StageContext) -> None:
        await save_checkpoint(ctx.run)


async def trained(ctx: RunContext, setup: Setup, checkpoint: Path | None = None) -> Setup:
    """Run it to its end."""
    await Runner(workflow(*setup.body()), ctx).run(checkpoint)
    return setup


async def resumed(store: Store, run_id: str, home: Path, setup: Setup) -> Setup:
    """Run on from the newest checkpoint, in an attempt of its own."""
    writer = RunWriter(store, run_id, next_attempt(store, run_id))
    ctx = context(writer, home, Config())
    return await trained(ctx, setup, newest_checkpoint(store, run_id))


def newest_checkpoint(store: Store, run_id: str) -> Path:
    saved = store.last_event(run_id, EventKind.CHECKPOINT_SAVED)
    assert saved is not None
    return store.get_artifact(run_id, saved.metadata["name"]).path
