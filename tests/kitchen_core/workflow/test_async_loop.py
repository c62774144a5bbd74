"""An async loop: products are made ahead of their turns, and it never shows where it must not."""

import asyncio
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_core.telemetry.schema import EventKind, Intent
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_core.workflow.context import Interrupted
from kitchen_core.workflow.runner import StageFailed
from tests.kitchen_core.store.support import passing_store, start
from tests.kitchen_core.workflow.policy import (
    MODULUS,
    Setup,
    newest_checkpoint,
    once,
    resumed,
    trained,
)
from tests.kitchen_core.workflow.support import Config, context

VERSIONS = {
    0: [0, 1, 2, 3, 4, 5],
    1: [0, 0, 1, 2, 3, 4],
    2: [0, 0, 0, 1, 2, 3],
    3: [0, 0, 0, 0, 1, 2],
}
"""Written by hand: which version each of six products comes from, by the lag."""


IN_STEP = once(lambda setup: setup.made <= len(setup.trained))
"""Each product is done only when every step before its own is."""


@pytest.fixture
def ctx(writer, tmp_path):
    return context(writer, tmp_path)


@pytest.fixture(autouse=True)
async def nothing_left_behind():
    """No task of a test outlives it."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def weights_of(lag):
    """What an undisturbed exact run of this lag ends with, trained by hand."""
    weights, history = 1, [1]
    for step, version in enumerate(VERSIONS[lag]):
        value = (history[version] + 7 * 10 * step + 1) * (step + 3) % MODULUS
        weights = (weights * 31 + value) % MODULUS
        history.append(weights)
    return weights


@pytest.mark.parametrize("lag", VERSIONS)
async def test_in_the_exact_mode_a_product_comes_from_as_many_steps_ago_as_the_lag(ctx, lag):
    setup = await trained(ctx, Setup(lag=lag))
    assert setup.versions == VERSIONS[lag]
    assert setup.seen == [0, 10, 20, 30, 40, 50]
    assert setup.policy.weights == await weights_of(lag)
    assert setup.open == set()
    assert (ctx.step, ctx.total_steps, ctx.cursors) == (6, 6, {"steps": 6})


async def test_without_a_lag_each_product_is_made_in_its_own_turn(ctx):
    setup = await trained(ctx, Setup(items=[0, 10]))
    assert setup.told == [
        *("begin 0 from 0", "made 0", "train 0"),
        *("begin 1 from 1", "made 1", "train 1"),
    ]


async def test_products_are_begun_at_the_boundary_that_lets_them_and_made_one_after_the_other(ctx):
    setup = Setup(lag=1, items=[0, 10, 20], training=all_made(1))
    await trained(ctx, setup)
    making = [each for each in setup.told if each.startswith("made")]
    assert making == ["made 0", "made 1", "made 2"]
    assert [each for each in setup.told if each not in making] == [
        *("begin 0 from 0", "begin 1 from 0", "train 0"),
        *("begin 2 from 1", "train 1", "train 2"),
    ]


async def test_a_snapshot_is_given_back_as_soon_as_its_product_is_made(ctx):
    held = []
    made = all_made(2)

    async def training(setup, stage_ctx):
        await made(setup, stage_ctx)
        held.append(len(setup.open))

    await trained(ctx, Setup(lag=2, training=training))
    assert held == [0, 0, 0, 0, 0, 0]


def all_made(lag):
    """Once everything is made that the step lets begin."""
    return once(lambda setup: setup.made >= min(len(setup.trained) + lag + 1, len(setup.items)))


@pytest.mark.parametrize("lag", [1, 2, 3])
async def test_a_slow_producer_and_a_fast_one_give_the_same_bytes(writer, store, tmp_path, lag):
    slow = Setup(lag=lag, producing=IN_STEP)
    fast = Setup(lag=lag, training=all_made(lag))
    for name, setup in (("slow", slow), ("fast", fast)):
        await trained(context(start(store, name), tmp_path), setup)
        assert setup.versions == VERSIONS[lag]
        assert setup.policy.weights == await weights_of(lag)


async def test_in_the_free_mode_a_slow_producer_takes_the_newest_weights_that_there_are(ctx):
    """Each product is done only when the step before is, and each step waits until the next product has
    begun: so that one begins with the weights that the step works on.
    """

    setup = Setup(
        lag=3,
        exact=False,
        producing=IN_STEP,
        training=once(lambda setup: setup.begun == min(len(setup.trained) + 2, len(setup.items))),
    )
    await trained(ctx, setup)
    assert setup.versions == [0, 0, 1, 2, 3, 4]


async def test_in_the_free_mode_a_fast_producer_is_as_far_ahead_as_it_may(ctx):
    setup = Setup(lag=2, exact=False, training=all_made(2))
    await trained(ctx, setup)
    assert setup.versions == VERSIONS[2]


def at_random(yields):
    """Let others work as often as the next number says."""
    rest = iter(yields)

    async def pace(setup, ctx):
        for _ in range(next(rest, 0)):
            await asyncio.sleep(0)

    return pace


PACES = st.lists(st.integers(0, 12), max_size=12)


@settings(max_examples=50)  # each is a run and a resume, with a store on disk
@given(st.integers(0, 4), PACES, PACES, st.integers(1, 9), st.booleans())
async def test_whatever_comes_first_nothing_is_too_old_lost_or_doubled(
    tmp_path_factory, lag, producing, training, stop_at, exact
):
    """Also over a pause at any step, and what comes after it."""
    home = tmp_path_factory.mktemp("home")
    with passing_store() as store:
        writer = start(store)
        first = paced(lag, exact, producing, training)
        ctx = context(writer, home)
        ctx.stop_asked = lambda: first.policy.version >= stop_at
        seen = first
        with suppress(Interrupted):
            await trained(ctx, first)
        if len(first.trained) < len(first.items):
            rest = paced(lag, exact, training, producing)
            seen = await resumed(store, writer.run_id, home, rest)
        both = first.trained + (seen.trained if seen is not first else [])
    assert [sampled.item for sampled in both] == [10 * i for i in range(9)]
    stale = [sampled.step - sampled.version for sampled in both]
    assert all(0 <= each <= lag for each in stale)
    assert not exact or stale == [min(step, lag) for step in range(9)]
    assert (first.open, seen.open) == (set(), set())


def paced(lag, exact, producing, training):
    return Setup(
        lag=lag,
        exact=exact,
        items=[10 * i for i in range(9)],
        producing=at_random(producing),
        training=at_random(training),
    )


async def interrupted(ctx, setup, asked):
    """Run until it is asked to stop; the intent it left with."""
    ctx.stop_asked = asked
    with pytest.raises(Interrupted) as left:
        await trained(ctx, setup)
    assert setup.open == set()
    return left.value.intent


@pytest.mark.parametrize("step", range(1, 6))
@pytest.mark.parametrize("lag", VERSIONS)
async def test_an_exact_run_resumed_at_any_boundary_ends_like_one_left_alone(
    store, writer, tmp_path, ctx, lag, step
):
    first = Setup(lag=lag)
    await interrupted(ctx, first, lambda: first.policy.version == step)
    rest = await resumed(store, writer.run_id, tmp_path, Setup(lag=lag))
    assert first.versions + rest.versions == VERSIONS[lag]
    assert rest.policy.weights == await weights_of(lag)


async def test_a_checkpoint_of_an_exact_run_waits_for_what_has_begun_and_keeps_it(
    store, writer, tmp_path, ctx
):
    """Asked to stop in step 2, while what steps 3 and 4 need is held back until then."""
    setup = Setup(lag=2, producing=once(lambda s: s.made < 3 or s.policy.version == 3))
    await interrupted(ctx, setup, lambda: setup.policy.version == 3)
    folder = newest_checkpoint(store, writer.run_id) / "buffer"
    saved = {int(f.stem): json.loads(f.read_text()) for f in folder.glob("0*.json")}
    assert {step: plain["version"] for step, plain in saved.items()} == {3: 1, 4: 2}


async def test_a_checkpoint_on_the_way_is_as_good_as_one_at_the_end(store, writer, tmp_path):
    """The process dies without a word, two steps after a checkpoint."""
    ctx = context(writer, tmp_path, Config(look_every=2))

    async def die(setup, stage_ctx):
        if stage_ctx.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await trained(ctx, Setup(lag=2, training=die))
    rest = await resumed(store, writer.run_id, tmp_path, Setup(lag=2))
    assert (rest.seen, rest.versions) == ([40, 50], [2, 3])
    assert rest.policy.weights == await weights_of(2)


async def test_a_free_run_keeps_what_is_made_and_begins_the_rest_again(
    store, writer, tmp_path, ctx
):
    """The product of step 3 is made and that of step 4 is not, when step 2 is done."""
    forever = asyncio.Event()

    async def producing(setup, stage_ctx):
        if stage_ctx.step == 4:
            await forever.wait()

    setup = Setup(lag=2, exact=False, producing=producing, training=all_made(1))
    await interrupted(ctx, setup, lambda: setup.policy.version == 3)
    rest = await resumed(store, writer.run_id, tmp_path, Setup(lag=2, exact=False))
    assert setup.seen + rest.seen == [0, 10, 20, 30, 40, 50]
    assert rest.trained[0].version in (1, 2)
    assert f"begin 3 from {rest.trained[0].version}" in setup.told
    assert rest.told[0] == "begin 4 from 3"


@pytest.mark.parametrize(("lag", "exact"), [(0, True), (2, False)])
async def test_asked_to_go_on_later_it_does_not_wait_for_what_begins_again(
    store, writer, tmp_path, ctx, lag, exact
):
    """The run is asked to stop while the third product is being made, and nothing of it is kept."""
    asked = []

    async def producing(setup, stage_ctx):
        if stage_ctx.step == 2:
            asked.append(True)
            await stage_ctx.wait(asyncio.Future())

    setup = Setup(lag=lag, exact=exact, producing=producing)
    assert await interrupted(ctx, setup, lambda: bool(asked)) is None
    assert len(setup.trained) < 3
    rest = await resumed(store, writer.run_id, tmp_path, Setup(lag=lag, exact=exact))
    assert setup.seen + rest.seen == [0, 10, 20, 30, 40, 50]


async def test_cancelled_it_leaves_the_making_at_once_and_saves_nothing(store, writer, ctx):
    asked = []

    async def producing(setup, stage_ctx):
        if stage_ctx.step == 2:
            store.set_intent(writer.run_id, Intent.CANCEL)
            asked.append(True)
            await stage_ctx.wait(asyncio.Future())

    setup = Setup(lag=1, producing=producing)
    assert await interrupted(ctx, setup, lambda: bool(asked)) is Intent.CANCEL
    assert store.last_event(writer.run_id, EventKind.CHECKPOINT_SAVED) is None


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("exact", [True, False])
async def test_a_producer_that_fails_fails_the_run_by_its_stage_and_leaves_nothing(
    store, ctx, lag, exact
):
    async def producing(setup, stage_ctx):
        if stage_ctx.step == 3:
            raise ValueError("no answer")

    setup = Setup(lag=lag, exact=exact, producing=producing)
    with pytest.raises(StageFailed, match="stage Sample: no answer"):
        await trained(ctx, setup)
    assert (setup.seen, setup.open) == ([0, 10, 20], set())
    (event,) = store.read_events(run_id=ctx.run_id, kinds=[EventKind.STAGE_FAILED])
    assert (event.stage, event.step) == ("Sample", 3)


async def test_a_step_that_fails_gives_up_what_is_being_made(ctx):
    async def training(setup, stage_ctx):
        if stage_ctx.step == 1:
            raise ValueError("out of memory")

    forever = asyncio.Event()

    async def producing(setup, stage_ctx):
        if stage_ctx.step == 2:
            await forever.wait()

    setup = Setup(lag=3, producing=producing, training=training)
    with pytest.raises(StageFailed, match="stage Train: out of memory"):
        await trained(ctx, setup)
    assert (setup.made, setup.open) == (2, set())


async def test_each_product_s_making_is_recorded_under_the_step_that_it_is_for(store, ctx):
    await trained(ctx, Setup(lag=2))
    told = [e for e in store.read_events(run_id=ctx.run_id) if e.stage == "Sample"]
    assert [e.kind for e in told] == ["stage.started", "stage.completed", "stage.folded"]
    assert told[0].step == 0
    folded = told[-1].measurements
    assert (folded["count"], folded["first_step"], folded["last_step"]) == (5, 1, 5)


async def with_saved(store, writer, tmp_path, ctx, change):
    """Resume a run after a change to the product that waits for step 3."""
    first = Setup(lag=2)
    await interrupted(ctx, first, lambda: first.policy.version == 3)
    change(newest_checkpoint(store, writer.run_id) / "buffer" / "000003.json")
    with pytest.raises(ResumeError) as refused:
        await resumed(store, writer.run_id, tmp_path, Setup(lag=2))
    return str(refused.value)


DAMAGES = {
    "another value": lambda f: f.write_text(f.read_text().replace('"item":30', '"item":31')),
    "no JSON": lambda f: f.write_text("{"),
    "another form": lambda f: f.write_text('{"item": 30}'),
    "gone": lambda f: f.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_product_that_comes_out_different_is_refused(store, writer, tmp_path, ctx, damage):
    message = await with_saved(store, writer, tmp_path, ctx, DAMAGES[damage])
    assert message.startswith(
        "the 'buffer' of the checkpoint can't be taken up: what waits for turn 3 "
        + ("came out different" if damage == "another value" else "can't be read")
    )
    assert f"kitchen retry {writer.run_id}" in message


async def test_a_lag_below_zero_is_refused_by_name(ctx):
    with pytest.raises(StageFailed, match="stage steps: lag is -1, expected 0 or more"):
        await trained(ctx, Setup(lag=-1))


async def test_an_item_that_can_t_be_read_fails_the_loop_by_name(ctx):
    class Broken(list):
        fingerprint = "broken"

        def __getitem__(self, index):
            raise OSError("the disk is gone")

    with pytest.raises(StageFailed, match="stage steps: the disk is gone"):
        await trained(ctx, Setup(lag=1, items=Broken([1])))


async def test_a_run_without_items_does_nothing(ctx):
    setup = await trained(ctx, Setup(lag=2, items=[]))
    assert (setup.told, ctx.step) == ([], 0)


async def test_a_lag_beyond_the_items_begins_them_all(ctx):
    setup = await trained(ctx, Setup(lag=50, items=[0, 10, 20]))
    assert setup.versions == [0, 0, 0]
