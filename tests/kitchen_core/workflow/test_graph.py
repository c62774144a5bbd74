import pytest

from kitchen_core.workflow.checking import check
from kitchen_core.workflow.drawing import draw
from kitchen_core.workflow.graph import (
    GraphError,
    async_loop,
    every,
    is_set,
    loop,
    number_of,
    parallel,
    stage,
    stream,
    when,
)
from kitchen_core.workflow.stage import Keeping
from kitchen_core.workflows import WORKFLOWS
from tests.kitchen_core.workflow.support import make_stage, putting, workflow

ITEMS = stage(putting("items", [1, 2]))
STEPS = loop("steps", over="items", item="i", counts_steps=True)


def reading(*keys):
    return stage(make_stage("Read", reads=keys))


BUFFER = stage(putting("buffer", {}))


def ahead(*producer, body=None):
    """An async loop that takes `x` from its producer."""
    return async_loop(
        "ahead",
        *([body] if body else []),
        over="items",
        item="i",
        product="x",
        buffer="buffer",
        producer=producer,
        lag=number_of("look_every"),
        exact=is_set("look_every"),
    )


REFUSED = {
    "unmet read": ([reading("rows")], "stage Read reads 'rows', which no earlier stage writes"),
    "read before it is written": ([reading("items"), ITEMS], "reads 'items'"),
    "loop over nothing": ([loop("l", over="rows", item="row")], "loop l goes over 'rows'"),
    "a turn's key after the loop": (
        [ITEMS, loop("l", stage(putting("x", 1)), over="items", item="i"), reading("x")],
        "reads 'x'",
    ),
    "the item between turns": (
        [ITEMS, loop("l", over="items", item="i", between=(reading("i"),))],
        "reads 'i'",
    ),
    "what only a condition writes": (
        [when(every("look_every"), stage(putting("x", 1))), reading("x")],
        "reads 'x'",
    ),
    "one key from two branches": (
        [parallel(stage(putting("x", 1)), stage(putting("x", 2)))],
        "two parallel branches write 'x'",
    ),
    "a branch that reads its sibling": (
        [parallel(stage(putting("x", 1)), reading("x"))],
        "reads 'x'",
    ),
    "two step counters": (
        [ITEMS, *(loop(n, over="items", item="i", counts_steps=True) for n in "ab")],
        "a and b both count steps",
    ),
    "two loops of one name": (
        [ITEMS, loop("l", over="items", item="i"), stream("l", over="items", item="i")],
        "two loops are named l",
    ),
    "a loop between turns of its own name": (
        [
            ITEMS,
            loop("l", over="items", item="i", between=(loop("l", over="items", item="j"),)),
        ],
        "two loops are named l",
    ),
    "a step counter between turns": (
        [ITEMS, loop("l", over="items", item="i", between=(STEPS,))],
        "steps counts steps, so it can't be inside loop l",
    ),
    "a step counter in a loop": (
        [ITEMS, loop("epochs", when(every("look_every"), STEPS), over="items", item="epoch")],
        "steps counts steps, so it can't be inside loop epochs",
    ),
    "a step counter in a branch": (
        [ITEMS, parallel(STEPS, stage(putting("x", 1)))],
        "steps counts steps, so it can't be inside a parallel",
    ),
    "a producer of something else": (
        [ITEMS, BUFFER, ahead(stage(putting("y", 1)))],
        "loop ahead takes 'x' from its producer, which does not write it",
    ),
    "a product without a place to wait": (
        [ITEMS, ahead(stage(putting("x", 1)))],
        "loop ahead keeps its products in 'buffer', which no earlier stage writes",
    ),
    "a producer that writes what a checkpoint keeps": (
        [ITEMS, BUFFER, ahead(stage(putting("x", 1)), stage(putting("z", 1, Keeping.DURABLE)))],
        "the producer of loop ahead writes 'z', which is durable",
    ),
    "a producer that reads what a turn writes": (
        [ITEMS, BUFFER, ahead(reading("y"), stage(putting("x", 1)), body=stage(putting("y", 1)))],
        "reads 'y'",
    ),
    "a turn that reads what its producer keeps": (
        [ITEMS, BUFFER, ahead(stage(putting("x", 1)), stage(putting("y", 1)), body=reading("y"))],
        "reads 'y'",
    ),
    "a turn that reads what was between two turns": (
        [
            ITEMS,
            loop("l", reading("x"), over="items", item="i", between=(stage(putting("x", 1)),)),
        ],
        "reads 'x'",
    ),
    "an async loop in a loop": (
        [ITEMS, BUFFER, loop("l", ahead(stage(putting("x", 1))), over="items", item="j")],
        "ahead counts steps, so it can't be inside loop l",
    ),
    "an unknown node": (["a word"], "'a word' is not a node; use stage, loop, stream, async_loop"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_tree_that_cant_work_is_refused_before_anything_runs(case):
    body, message = REFUSED[case]
    with pytest.raises(GraphError) as refused:
        check(workflow(*body))
    assert message in str(refused.value)


def test_durable_keys_of_a_loop_outlive_it():
    best = stage(putting("best", 1, Keeping.DURABLE))
    check(workflow(ITEMS, loop("l", best, over="items", item="i"), reading("best")))


def test_a_turn_finds_its_item_and_its_product():
    body = stage(make_stage("Learn", reads=("i", "x")))
    check(workflow(ITEMS, BUFFER, ahead(stage(putting("x", 1)), body=body)))


def test_a_stream_needs_something_to_prefetch():
    with pytest.raises(GraphError, match="prefetch is 0"):
        stream("s", over="items", item="i", prefetch=0)


def test_a_drawing_shows_the_tree():
    tree = workflow(
        ITEMS,
        stream("steps", reading("i"), over="items", item="i", between=(reading("items"),)),
        parallel(stage(putting("x", 1)), stage(putting("y", 1))),
    )
    assert draw(tree) == [
        "workflow test",
        "  PutItems",
        "  stream (prefetch 2) steps over items",
        "    between turns",
        "      Read",
        "    Read",
        "  parallel",
        "    PutX",
        "    PutY",
    ]


def test_a_drawing_shows_what_may_run_ahead():
    tree = workflow(ITEMS, BUFFER, ahead(stage(putting("x", 1)), body=reading("x")))
    assert draw(tree)[3:] == [
        "  async loop ahead over items",
        "    ahead, by look_every at most; exactly so where look_every is set",
        "      PutX",
        "    Read",
    ]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_shipped_workflow_holds(name):
    check(WORKFLOWS[name])


def test_an_option_that_a_stage_does_not_have_is_refused():
    with pytest.raises(ValueError, match="stage PutX: option 'speed'"):
        type(putting("x", 1))(speed=3)
