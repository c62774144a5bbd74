"""A workflow as data: a tree of nodes that can be drawn, and checked without running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from kitchen_core.config import RunConfig
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.workflow.stage import Keeping, Stage

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
class WhenNode:
    """The body, if the predicate holds."""

    predicate: Predicate
    body: tuple[Node, ...]


@dataclass(frozen=True)
class ParallelNode:
    """Branches that run at the same time, at most `max_concurrency` of them."""

    branches: tuple[tuple[Node, ...], ...]
    max_concurrency: int


Node: TypeAlias = StageNode | LoopNode | WhenNode | ParallelNode


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


def stages_of(nodes: tuple[Node, ...]) -> Iterator[Stage]:
    """Every stage of a tree, in order."""
    return (node.stage for node in _walk(nodes) if isinstance(node, StageNode))


def _walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(_children(node))


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case LoopNode(body=body, between=between):
            return between + body
        case WhenNode(body=body):
            return body
        case ParallelNode(branches=branches):
            return tuple(chain.from_iterable(branches))
        case _:
            return ()


def check(workflow: Workflow) -> None:
    """Refuse a tree that can't work: an unknown node, a read that nothing before it writes, two
    loops of one name, two step counters or one that is run more than once.

    Raises GraphError naming the stage and the key, or the loop.
    """
    _check_loops(workflow.name, workflow.body)
    _check_body(workflow.name, workflow.body, {})


def _check_loops(where: str, body: tuple[Node, ...]) -> None:
    names = [node.name for node in _loops(body)]
    for name in names:
        if names.count(name) > 1:
            raise GraphError(f"workflow {where}: two loops are named {name}")
    steps = [node.name for node in _loops(body) if node.counts_steps]
    if len(steps) > 1:
        raise GraphError(
            f"workflow {where}: {' and '.join(steps)} both count steps; only one loop can"
        )
    for node in _walk(body):
        inner = [within.name for within in _loops(_children(node)) if within.counts_steps]
        if inner and isinstance(node, LoopNode | ParallelNode):
            kind = f"loop {node.name}" if isinstance(node, LoopNode) else "a parallel"
            raise GraphError(
                f"workflow {where}: {inner[0]} counts steps, so it can't be inside {kind}"
            )


def _loops(nodes: tuple[Node, ...]) -> Iterator[LoopNode]:
    return (node for node in _walk(nodes) if isinstance(node, LoopNode))


Written: TypeAlias = dict[str, Keeping]


def _check_body(where: str, nodes: tuple[Node, ...], written: Written) -> Written:
    """The keys written after the nodes, given those written before."""
    for node in nodes:
        written = written | _check_node(where, node, written)
    return written


def _check_node(where: str, node: Node, written: Written) -> Written:
    match node:
        case StageNode(stage=placed):
            for key in placed.reads:
                if key not in written:
                    raise GraphError(
                        f"workflow {where}: stage {placed.name} reads '{key}', which no earlier stage writes"
                    )
            return dict(placed.writes)
        case LoopNode(name=name, over=over, item=item, body=body, between=between):
            if over not in written:
                raise GraphError(
                    f"workflow {where}: loop {name} goes over '{over}', which no earlier stage writes"
                )
            before = _check_body(where, between, written)
            inside = _check_body(where, body, before | {item: Keeping.REBUILT})
            return _durable_of(inside)
        case WhenNode(body=body):
            _check_body(where, body, written)
            return {}
        case ParallelNode(branches=branches):
            return _check_branches(where, branches, written)
        case _:
            raise GraphError(
                f"workflow {where}: {node!r} is not a node; use stage, loop, stream, when or parallel"
            )


def _durable_of(written: Written) -> Written:
    """What a loop leaves behind: the keys of its last turn are gone, the durable ones stay."""
    return {key: keeping for key, keeping in written.items() if keeping is Keeping.DURABLE}


def _check_branches(
    where: str, branches: tuple[tuple[Node, ...], ...], written: Written
) -> Written:
    added: Written = {}
    for branch in branches:
        _check_body(where, branch, written)
        own = {key: kept for placed in stages_of(branch) for key, kept in placed.writes.items()}
        both = own.keys() & added.keys()
        if both:
            raise GraphError(f"workflow {where}: two parallel branches write '{min(both)}'")
        added |= own
    return added
