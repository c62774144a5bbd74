import asyncio
import json
import threading
from importlib.metadata import version

import pytest

from kitchen_core.store import RunWriter
from kitchen_core.telemetry.schema import EventKind, Intent
from kitchen_core.train.ports.errors import InvalidRequest, Unavailable
from kitchen_core.workflow.checkpoint import ResumeError, save_checkpoint
from kitchen_core.workflow.context import Interrupted
from kitchen_core.workflow.graph import (
    Predicate,
    every,
    loop,
    parallel,
    stage,
    stream,
    when,
)
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflow.software import installed_software
from kitchen_core.workflow.stage import Keeping
from kitchen_core.workflow.state import StateError
from tests.kitchen_core.store.support import next_attempt
from tests.kitchen_core.workflow.support import Config, context, make_stage, putting, workflow

ITEMS = stage(putting("items", list(range(10))))


@pytest.fixture
def ctx(writer, tmp_path):
    return context(writer, tmp_path)


async def run(ctx, *body, checkpoint=None):
    await Runner(workflow(*body), ctx).run(checkpoint)


def noting(seen, key="i"):
    return stage(make_stage("Note", lambda ctx: seen.append(ctx.state[key]), reads=(key,)))


async def test_a_loop_goes_over_its_items_and_counts_steps(ctx):
    seen = []
    await run(ctx, ITEMS, loop("l", noting(seen), over="items", item="i", counts_steps=True))
    assert seen == list(range(10))
    assert (ctx.step, ctx.total_steps, ctx.cursors) == (10, 10, {"l": 10})


async def test_a_loop_that_does_not_count_leaves_the_step_and_no_cursor(ctx):
    await run(ctx, ITEMS, loop("l", noting([]), over="items", item="i"))
    assert (ctx.step, ctx.cursors) == (0, {})


async def test_a_loop_is_over_where_its_until_holds_and_counts_what_it_did(ctx):
    seen = []
    until = Predicate("three are seen", lambda _: len(seen) == 3)
    await run(
        ctx, ITEMS, loop("l", noting(seen), over="items", item="i", counts_steps=True, until=until)
    )
    assert seen == [0, 1, 2]
    assert (ctx.step, ctx.total_steps, ctx.cursors) == (3, 3, {"l": 10})


async def test_what_is_written_between_turns_is_gone_in_the_turn(ctx):
    looks = make_stage("Look", lambda ctx: seen.append("x" in ctx._run.state), reads=("i",))
    seen = []
    few = stage(putting("few", [0, 1]))
    await run(
        ctx, few, loop("l", stage(looks), over="few", item="i", between=(stage(putting("x", 1)),))
    )
    assert seen == [False, False]


async def test_a_loop_in_a_loop_runs_in_every_turn(ctx):
    seen = []
    pair = make_stage(
        "Pair", lambda ctx: seen.append((ctx.state["i"], ctx.state["k"])), reads=("i", "k")
    )
    inner = loop("inner", stage(pair), over="few", item="k")
    few = stage(putting("few", [0, 1]))
    await run(ctx, few, loop("outer", inner, over="few", item="i"))
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1)]


async def test_a_loop_between_turns_runs_before_every_turn(ctx):
    seen = []
    few = stage(putting("few", [0, 1]))
    checks = loop("checks", noting(seen, "k"), over="few", item="k")
    await run(
        ctx, few, loop("l", over="few", item="i", between=(checks,), counts_steps=True), ITEMS
    )
    assert seen == [0, 1, 0, 1]


async def test_a_cadence_in_steps_is_looked_at_in_every_step(writer, tmp_path):
    ctx = context(writer, tmp_path, Config(look_every=3))
    at_start, later = [], []

    def look(into):
        return stage(make_stage("Look", lambda _: into.append(ctx.step)))

    body = (
        when(every("look_every", at_start=True), look(at_start)),
        when(every("look_every"), look(later)),
    )
    await run(ctx, ITEMS, loop("l", *body, over="items", item="i", counts_steps=True))
    assert (at_start, later) == ([0, 3, 6, 9], [3, 6, 9])


async def test_a_stream_prepares_the_next_items_while_the_body_works(ctx):
    class Items(list):
        """Item 2 can be had only while item 0 is being worked on."""

        fingerprint = "items"
        asked = threading.Event()

        def __getitem__(self, index):
            if index == 2:
                self.asked.set()
            return super().__getitem__(index)

    items = Items(range(4))

    async def work(stage_ctx):
        if stage_ctx.state["i"] == 0:
            assert await asyncio.to_thread(items.asked.wait, 10)

    body = stage(make_stage("Work", work, reads=("i",)))
    await run(ctx, stage(putting("items", items)), stream("s", body, over="items", item="i"))


async def test_parallel_branches_run_at_the_same_time(ctx):
    meet = asyncio.Barrier(2)
    a, b = (stage(make_stage(name, lambda _: meet.wait())) for name in ("A", "B"))
    await asyncio.wait_for(run(ctx, parallel(a, b)), 10)


async def test_at_most_max_concurrency_branches_run_at_once(ctx):
    now, most = 0, 0

    async def work(_):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    branches = [stage(make_stage(f"S{i}", work)) for i in range(6)]
    await run(ctx, parallel(*branches, max_concurrency=2))
    assert most == 2


async def test_a_failing_branch_cancels_its_siblings(ctx):
    cancelled = []

    async def wait(_):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("sibling")
            raise

    def fail(_):
        raise ValueError("no")

    body = parallel(stage(make_stage("Wait", wait)), stage(make_stage("Fail", fail)))
    with pytest.raises(StageFailed, match="stage Fail: no"):
        await asyncio.wait_for(run(ctx, body), 10)
    assert cancelled == ["sibling"]


async def test_a_failure_rolls_back_the_stages_before_it_newest_first(ctx, store):
    undone = []

    def fail(_):
        raise RuntimeError("boom")

    def undoing(name, work=lambda _: None):
        return stage(make_stage(name, work, undo=lambda: undone.append(name)))

    with pytest.raises(StageFailed) as failure:
        await run(ctx, undoing("A"), undoing("B"), undoing("C", fail), undoing("D"))
    assert undone == ["C", "B", "A"]
    assert failure.value.stage == "C"
    (event,) = store.read_events(run_id=ctx.run_id, kinds=[EventKind.STAGE_FAILED])
    assert (event.stage, event.metadata) == ("C", {"type": "RuntimeError", "message": "boom"})


async def test_in_a_loop_only_the_stage_that_failed_is_rolled_back(ctx):
    undone = []

    def fail_late(ctx):
        if ctx.state["i"] == 1:
            raise RuntimeError("boom")

    def undoing(name, work=lambda _: None):
        undo = lambda: undone.append(name)  # noqa: E731
        return stage(make_stage(name, work, reads=("i",) * (name != "A"), undo=undo))

    body = loop("l", undoing("B"), undoing("C", fail_late), over="items", item="i")
    with pytest.raises(StageFailed, match="stage C: boom"):
        await run(ctx, ITEMS, undoing("A"), body)
    assert undone == ["C", "A"]


UNDECLARED = {
    "reads": (make_stage("S", lambda ctx: ctx.state["items"]), "reads 'items' without declaring"),
    "writes": (
        make_stage("S", lambda ctx: ctx.state.__setitem__("x", 1)),
        "writes 'x' without declaring",
    ),
    "does not write": (
        make_stage("S", writes={"x": Keeping.REBUILT}),
        "declares 'x' and did not write it",
    ),
    "not JSON": (
        make_stage("S", lambda ctx: ctx.state.__setitem__("x", {1}), writes={"x": Keeping.DURABLE}),
        "'x' is durable and must be JSON",
    ),
}


@pytest.mark.parametrize("case", UNDECLARED)
async def test_a_stage_keeps_to_what_it_declared(case, ctx):
    placed, message = UNDECLARED[case]
    with pytest.raises(StageFailed, match=message) as failure:
        await run(ctx, ITEMS, stage(placed))
    assert isinstance(failure.value.error, StateError)


async def test_validation_comes_before_any_work(ctx):
    worked = []
    late = make_stage("Late")
    type(late).validate = lambda self, ctx: (_ for _ in ()).throw(ValueError("no GPU"))
    with pytest.raises(StageFailed, match="stage Late: no GPU"):
        await run(ctx, stage(make_stage("Early", lambda _: worked.append(1))), stage(late))
    assert worked == []


async def test_the_first_turn_is_recorded_whole_and_the_rest_folded(ctx, store):
    await run(ctx, ITEMS, loop("l", noting([]), over="items", item="i", counts_steps=True))
    events = [e for e in store.read_events(run_id=ctx.run_id) if e.stage == "Note"]
    assert [e.kind for e in events] == ["stage.started", "stage.completed", "stage.folded"]
    folded = events[-1].measurements
    assert (folded["count"], folded["first_step"], folded["last_step"]) == (9, 1, 9)


class Counter:
    """A stateful value: it counts its turns and saves the count."""

    fingerprint = "counter"

    def __init__(self):
        self.count = 0

    async def save_state(self, folder):
        (folder / "count").write_text(str(self.count))

    async def load_state(self, folder):
        self.count = int((folder / "count").read_text())


def counting_body(made, seen, *, items=None, stop_at=None, stop=None):
    """A loop that counts in a stateful and in a durable value, with a checkpoint every third turn."""

    def make(ctx):
        made.append(Counter())
        ctx.state["counter"] = made[-1]

    def count(ctx):
        if ctx.step == stop_at:
            stop()
        ctx.state["counter"].count += 1
        seen.append(ctx.state["i"])
        ctx.state["seen"] = [*ctx.state.get("seen", []), ctx.state["i"]]

    return (
        ITEMS if items is None else stage(putting("items", items)),
        stage(make_stage("Make", make, writes={"counter": Keeping.REBUILT})),
        stage(putting("once", "durable", Keeping.DURABLE)),
        loop(
            "l",
            stage(
                make_stage("Count", count, reads=("counter", "i"), writes={"seen": Keeping.DURABLE})
            ),
            over="items",
            item="i",
            between=(
                when(
                    every("look_every"),
                    stage(make_stage("Save", lambda ctx: save_checkpoint(ctx.run))),
                ),
            ),
            counts_steps=True,
        ),
    )


def checkpoint_of(store, ctx):
    saved = store.last_event(ctx.run_id, EventKind.CHECKPOINT_SAVED)
    return saved.step, store.get_artifact(ctx.run_id, saved.metadata["name"]).path


async def interrupted_run(store, writer, tmp_path, intent=None):
    """A run that is asked to stop in its eighth turn, after a checkpoint at six."""
    ctx = context(writer, tmp_path, Config(look_every=3))
    made, seen, asked = [], [], []
    ctx.stop_asked = lambda: bool(asked)

    def stop():
        store.set_intent(writer.run_id, intent)
        asked.append(True)

    with pytest.raises(Interrupted) as interrupted:
        await run(ctx, *counting_body(made, seen, stop_at=7, stop=stop))
    assert interrupted.value.intent is intent
    return ctx, seen


async def resumed(store, writer, tmp_path, **changes):
    again = RunWriter(store, writer.run_id, next_attempt(store, writer.run_id))
    ctx = context(again, tmp_path, Config(look_every=3))
    made, seen = [], []
    step, folder = checkpoint_of(store, ctx)
    await run(ctx, *counting_body(made, seen, **changes), checkpoint=folder)
    return ctx, step, seen, made


async def test_asked_to_go_on_later_it_ends_its_turn_and_saves(store, writer, tmp_path):
    _, seen = await interrupted_run(store, writer, tmp_path)
    assert seen == list(range(8))
    ctx, step, rest, (counter,) = await resumed(store, writer, tmp_path)
    assert (step, rest, counter.count, ctx.step) == (8, [8, 9], 10, 10)
    assert ctx.state["seen"] == list(range(10))


async def test_a_loop_inside_a_turn_begins_anew_after_a_resume(store, writer, tmp_path):
    """Stopped in the third turn of four: the fourth runs its inner loop whole, and only then."""

    def body(seen, stop=lambda: None):
        def note(ctx):
            seen.append((ctx.state["i"], ctx.state["k"]))
            if seen[-1] == (2, 0):
                stop()

        inner = loop(
            "inner", stage(make_stage("Note", note, reads=("i", "k"))), over="few", item="k"
        )
        before = loop("before", noting([], "k"), over="few", item="k")
        turns = loop("l", inner, over="items", item="i", counts_steps=True)
        few = stage(putting("few", [0, 1]))
        return stage(putting("items", list(range(4)))), few, before, turns

    ctx, seen, asked = context(writer, tmp_path), [], []
    ctx.stop_asked = lambda: bool(asked)
    with pytest.raises(Interrupted):
        await run(ctx, *body(seen, lambda: asked.append(True)))
    assert seen[-2:] == [(2, 0), (2, 1)]
    again = RunWriter(store, writer.run_id, next_attempt(store, writer.run_id))
    resumed_ctx, rest = context(again, tmp_path), []
    step, folder = checkpoint_of(store, resumed_ctx)
    assert json.loads((folder / "state.json").read_text())["cursors"] == {"l": 3}
    await run(resumed_ctx, *body(rest), checkpoint=folder)
    assert (step, rest) == (3, [(3, 0), (3, 1)])


async def test_cancelled_it_stops_at_the_next_boundary_and_saves_nothing(store, writer, tmp_path):
    ctx, _ = await interrupted_run(store, writer, tmp_path, Intent.CANCEL)
    step, _ = checkpoint_of(store, ctx)
    assert step == 6


async def test_a_resume_runs_rebuilt_stages_again_and_skips_the_others(store, writer, tmp_path):
    await interrupted_run(store, writer, tmp_path, Intent.CANCEL)
    ctx, step, rest, _ = await resumed(store, writer, tmp_path)
    assert (step, rest) == (6, [6, 7, 8, 9])
    second = [e for e in store.read_events(run_id=ctx.run_id) if e.attempt == 2]
    started = [e.stage for e in second if e.kind == EventKind.STAGE_STARTED]
    assert started == ["PutItems", "Make", "Save", "Count"]


async def refused_resume(store, writer, tmp_path, **changes):
    with pytest.raises(ResumeError) as refused:
        await resumed(store, writer, tmp_path, **changes)
    assert "\n" not in str(refused.value)
    return str(refused.value)


async def test_what_came_out_different_is_named_with_its_maker_and_what_to_do(
    store, writer, tmp_path
):
    await interrupted_run(store, writer, tmp_path)
    run_id = writer.run_id
    assert await refused_resume(store, writer, tmp_path, items=list(range(11))) == (
        "'items' (made by PutItems from the config) came out different from when the checkpoint at "
        "step 8 was saved: the code of PutItems, or something that it reads, has changed; put that "
        f"back and go on with: kitchen resume {run_id}, or begin anew with: kitchen retry {run_id}"
    )


def as_saved_with(store, ctx, **changes):
    """The newest checkpoint's `state.json` with other values."""
    _, folder = checkpoint_of(store, ctx)
    state = json.loads((folder / "state.json").read_text()) | changes
    (folder / "state.json").write_text(json.dumps(state))


async def test_other_software_is_named_as_the_cause(store, writer, tmp_path):
    ctx, _ = await interrupted_run(store, writer, tmp_path)
    as_saved_with(store, ctx, software=dict(installed_software()) | {"transformers": "4.0"})
    message = await refused_resume(store, writer, tmp_path, items=list(range(11)))
    now = version("transformers")
    assert f"was saved: transformers is {now} and was 4.0; put that back" in message


async def test_other_software_that_changes_nothing_is_a_warning(store, writer, tmp_path):
    ctx, _ = await interrupted_run(store, writer, tmp_path)
    as_saved_with(store, ctx, software={"torch": "2.0", "gone": "1"})
    await resumed(store, writer, tmp_path)
    warnings = [e.metadata["message"] for e in store.read_events(kinds=[EventKind.LOG])]
    assert warnings == [
        f"torch is {version('torch')} and was 2.0 at the checkpoint: "
        "the last digits may differ from here on",
        "gone is not installed and was 1 at the checkpoint: "
        "the last digits may differ from here on",
    ]


async def test_a_checkpoint_of_before_the_software_was_noted_is_taken(store, writer, tmp_path):
    ctx, _ = await interrupted_run(store, writer, tmp_path)
    as_saved_with(store, ctx, software={})
    _, step, rest, _ = await resumed(store, writer, tmp_path)
    assert (step, rest) == (8, [8, 9])


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (InvalidRequest("the state is of another model"), "begin anew with: kitchen retry"),
        (Unavailable("the server is down"), "try again later with: kitchen resume"),
    ],
)
async def test_a_session_that_does_not_take_its_state_up_is_a_reason(
    store, writer, tmp_path, monkeypatch, error, remedy
):
    async def refuse(self, folder):
        raise error

    await interrupted_run(store, writer, tmp_path)
    monkeypatch.setattr(Counter, "load_state", refuse)
    message = await refused_resume(store, writer, tmp_path)
    assert message == (
        f"the 'counter' of the checkpoint can't be taken up: {error.message}; {remedy} {writer.run_id}"
    )


@pytest.mark.parametrize("text", ["{", '{"step": 1}', '{"step": 1, "newer": 2}'])
async def test_a_checkpoint_that_can_t_be_read_is_refused_with_its_place(ctx, tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ResumeError, match="can't be read") as refused:
        await run(ctx, ITEMS, checkpoint=tmp_path)
    assert str(tmp_path) in str(refused.value)


async def test_only_the_newest_checkpoints_stay_on_disk(writer, store, tmp_path):
    ctx = context(writer, tmp_path, Config(look_every=2, keep_checkpoints=2))
    await run(ctx, *counting_body([], []))
    names = [artifact.name for artifact in store.list_artifacts(ctx.run_id)]
    assert names == ["checkpoints/000006", "checkpoints/000008"]
    assert len(list((tmp_path / "artifacts" / "tree").glob("*/*"))) == 2
