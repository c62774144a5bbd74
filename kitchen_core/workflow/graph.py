"""A workflow as data: a tree of nodes. `drawing` draws it, `checking` holds it against what can work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from kitchen_core.config import RunConfig
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.workflow.stage import Stage

if TYPE_CHECKING:
    from kitchen_core.workflow.context import RunContext


class GraphError(ValueError):
    """A workflow that can't work; found before anything runs."""


@dataclass(frozen=True)
class StageNode:
    """One stage."""

    stage: Stage


@dataclass(frozen=True)
class Predicate:
    """A condition on the run, with the words that a drawing shows."""

    label: str
    holds: Callable[[RunContext], bool]


@dataclass(frozen=True)
class Count:
    """A number that the run knows, with the words that a drawing shows."""

    label: str
    of: Callable[[RunContext], int]


@dataclass(frozen=True)
class LoopNode:
    """The body once for each item of the state key `over`, which has a length and is read by index.

    The item is the state key `item`. prefetch: how many items a thread of its own prepares ahead; 0
    reads each when its turn comes. counts_steps: each turn is one optimizer step. between: what
    runs before each turn, when nothing of a turn is in the state; the place for checkpoints and
    measurements. until: asked after that; where it holds, the loop is over before its items are.
    name: no other loop of the workflow has it.
    """

    name: str
    over: str
    item: str
    body: tuple[Node, ...]
    between: tuple[Node, ...] = ()
    prefetch: int = 0
    counts_steps: bool = False
    until: Predicate | None = None


@dataclass(frozen=True)
class AsyncLoopNode:
    """A loop over steps whose turns each need a product, which may be begun up to `lag` turns ahead.

    Turn `k` finds the item `k` of `over` as `item`, and as `product` what the `producer` nodes made of
    that item. A product is in two parts. `begin` takes hold of what the producer works from, such as a
    snapshot of the weights; what it writes is closed when the product is there. `producer` then works
    beside the training, one product at a time, in their order. Both see the state as it was before the
    turn in which they were let begin, and the step that they work for; what they write, all of it
    rebuilt, is theirs alone, but for the product.

    exact: `begin` runs between two turns: product `i` comes from the weights after `i - lag` turns, or
    the first ones, however fast anything is; a checkpoint waits for what has begun. Not exact: `begin`
    runs when the product before is done, so the weights are newer where there was time, never older;
    a checkpoint keeps what is done, and the rest begins again after a resume. lag 0: each product is
    made in its own turn, and both mean the same.

    buffer: the state key of the `Buffer` in which products wait, and outlive the process. name, over,
    between, until: as of a LoopNode. Each turn is one optimizer step.
    """

    name: str
    over: str
    item: str
    product: str
    buffer: str
    begin: tuple[Node, ...]
    producer: tuple[Node, ...]
    body: tuple[Node, ...]
    lag: Count
    exact: Predicate
    between: tuple[Node, ...] = ()
    until: Predicate | None = None

    @property
    def counts_steps(self) -> bool:
        """True: a lag is counted in steps."""
        return True


@dataclass(frozen=True)
class WhenNode:
    """The body, if the predicate holds."""

    predicate: Predicate
    body: tuple[Node, ...]


@dataclass(frozen=True)
class ParallelNode:
    """Branches that run at the same time, at most `max_concurrency` of them."""

    branches: tuple[tuple[Node, ...], ...]
    max_concurrency: int


Node: TypeAlias = StageNode | LoopNode | AsyncLoopNode | WhenNode | ParallelNode


@dataclass(frozen=True)
class Workflow:
    """A name, the config model that its recipes fill in, and the tree."""

    name: str
    description: str
    config: type[RunConfig]
    body: tuple[Node, ...]

    @property
    def ports(self) -> tuple[PortName, ...]:
        """Every port that some stage needs, in order of first use."""
        return tuple(dict.fromkeys(port for stage in stages_of(self.body) for port in stage.ports))


def stage(made: Stage) -> StageNode:
    """Place a stage."""
    return StageNode(made)


def loop(
    name: str,
    *body: Node,
    over: str,
    item: str,
    between: tuple[Node, ...] = (),
    counts_steps: bool = False,
    until: Predicate | None = None,
) -> LoopNode:
    """Run the body for each item of a state key."""
    return LoopNode(name, over, item, body, between, counts_steps=counts_steps, until=until)


def stream(
    name: str,
    *body: Node,
    over: str,
    item: str,
    between: tuple[Node, ...] = (),
    prefetch: int = 2,
    counts_steps: bool = False,
    until: Predicate | None = None,
) -> LoopNode:
    """As `loop`, with the next items prepared in threads while the body works."""
    if prefetch < 1:
        raise GraphError(f"stream {name}: prefetch is {prefetch}, expected 1 or more")
    return LoopNode(name, over, item, body, between, prefetch, counts_steps, until)


def async_loop(
    name: str,
    *body: Node,
    over: str,
    item: str,
    product: str,
    buffer: str,
    begin: tuple[Node, ...] = (),
    producer: tuple[Node, ...],
    lag: Count,
    exact: Predicate,
    between: tuple[Node, ...] = (),
    until: Predicate | None = None,
) -> AsyncLoopNode:
    """Run the body for each item and what a producer made of it, which may work ahead."""
    return AsyncLoopNode(
        name, over, item, product, buffer, begin, producer, body, lag, exact, between, until
    )


def when(predicate: Predicate, *body: Node) -> WhenNode:
    """Run the body if a predicate holds."""
    return WhenNode(predicate, body)


def parallel(*branches: Node | tuple[Node, ...], max_concurrency: int = 4) -> ParallelNode:
    """Run branches at the same time."""
    if max_concurrency < 1:
        raise GraphError(f"parallel: max_concurrency is {max_concurrency}, expected 1 or more")
    each = tuple(branch if isinstance(branch, tuple) else (branch,) for branch in branches)
    return ParallelNode(each, max_concurrency)


def every(setting: str, *, at_start: bool = False) -> Predicate:
    """True at each multiple of a config setting, counted in steps; step 0 only if `at_start`.

    A setting of 0 turns it off.
    """

    def holds(ctx: RunContext) -> bool:
        cadence = getattr(ctx.config, setting)
        return bool(cadence) and ctx.step % cadence == 0 and (at_start or ctx.step > 0)

    return Predicate(f"every {setting} steps", holds)


def is_set(setting: str) -> Predicate:
    """True when a config setting has a value."""
    return Predicate(f"{setting} is set", lambda ctx: bool(getattr(ctx.config, setting)))


def number_of(setting: str) -> Count:
    """The value of a config setting that is a whole number."""
    return Count(setting, lambda ctx: getattr(ctx.config, setting))


def stages_of(nodes: tuple[Node, ...]) -> Iterator[Stage]:
    """Every stage of a tree, in order."""
    return (node.stage for node in walk(nodes) if isinstance(node, StageNode))


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Every node of a tree, in order, each before what is in it."""
    for node in nodes:
        yield node
        yield from walk(children_of(node))


def children_of(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node."""
    match node:
        case AsyncLoopNode(begin=begin, producer=producer, body=body, between=between):
            return between + begin + producer + body
        case LoopNode(body=body, between=between):
            return between + body
        case WhenNode(body=body):
            return body
        case ParallelNode(branches=branches):
            return tuple(chain.from_iterable(branches))
        case _:
            return ()
