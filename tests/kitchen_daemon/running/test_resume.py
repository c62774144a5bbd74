"""When a run can't go on, one line says what has changed and what to do; else it goes on."""

import json
import shutil
import sqlite3
from contextlib import ExitStack, contextmanager

import pytest

from kitchen_core import builtin
from kitchen_core.store import Store
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.client import Refused
from kitchen_daemon.machine.driver import has_gpu
from kitchen_daemon.models import Launch
from kitchen_daemon.running.resuming import check_installed
from tests.kitchen_daemon.support import (
    QUICK,
    final_sha256,
    happened,
    is_at_rest,
    reached_step,
)
from tests.rows import write_jsonl

RECIPE = (
    "from kitchen_core import Recipe\n"
    "from kitchen_core.workflows import SupervisedConfig, supervised\n"
    'recipe = Recipe("mine", "Mine", supervised, SupervisedConfig())\n'
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A dataset file, a model folder and a recipe that the test owns."""
    folder = tmp_path_factory.mktemp("mine")
    write_jsonl(folder / "chat.jsonl", builtin.dataset_rows("arithmetic", "train"))
    shutil.copytree(builtin.model_folder("tiny"), folder / "model")
    (folder / "mine.py").write_text(RECIPE)
    return folder


def paused(daemon, launch):
    """A run that has stopped after its second checkpoint, and a cursor behind that."""
    run = daemon.client.launch(launch)
    daemon.until(run.id, reached_step(25))
    daemon.client.pause(run.id)
    cursor = daemon.until(run.id, happened("run.paused"))[-1].cursor
    return daemon.client.run(run.id), cursor


@pytest.fixture(scope="module")
def stopped(daemon, files):
    """A paused run of the test's own files."""
    overrides = QUICK | {"dataset": f"file:{files}/chat.jsonl", "model": f"file:{files}/model"}
    return paused(daemon, Launch(recipe=str(files / "mine.py"), overrides=overrides))


@contextmanager
def moved_away(path):
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@contextmanager
def edited(path, more=b"\n"):
    before = path.read_bytes()
    path.write_bytes(before + more)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def wired_to(daemon, run, adapter):
    """The run as one that was submitted when that adapter was installed."""

    def write(wiring):
        with sqlite3.connect(daemon.home.database) as store:
            store.execute("UPDATE run SET wiring = ? WHERE id = ?", (wiring, run.id))

    with Store.open(daemon.home.root) as store:
        before = store.get_run(run.id).wiring
    ports = before["ports"] | {"training_client": {"adapter": adapter}}
    write(json.dumps(before | {"ports": ports}))
    try:
        yield
    finally:
        write(json.dumps(before))


@contextmanager
def without_checkpoints(daemon, run):
    with ExitStack() as stack:
        for artifact in daemon.client.run(run.id).artifacts:
            stack.enter_context(moved_away(daemon.home.root / artifact.path))
        yield


def revision_of(daemon, run):
    sha256 = run.recipe_revision
    return daemon.home.root / "artifacts" / "tree" / sha256[:2] / sha256


BROKEN = {
    "the data was edited": (
        lambda daemon, run, files: edited(files / "chat.jsonl"),
        ["chat.jsonl has changed since this run was submitted", "put the old content back"],
    ),
    "the data is gone": (
        lambda daemon, run, files: moved_away(files / "chat.jsonl"),
        ["chat.jsonl can't be read: No such file or directory; put it back"],
    ),
    "the model was edited": (
        lambda daemon, run, files: edited(files / "model" / "config.json"),
        ["/model has changed since this run was submitted", "put the old content back"],
    ),
    "the model is gone": (
        lambda daemon, run, files: moved_away(files / "model"),
        ["/model can't be read: No such file or directory; put it back"],
    ),
    "the recipe's revision is gone": (
        lambda daemon, run, files: moved_away(revision_of(daemon, run)),
        ["of its recipe in", "was deleted or edited; launch it anew with: kitchen run mine"],
    ),
    "the recipe's revision was edited": (
        lambda daemon, run, files: edited(revision_of(daemon, run) / "mine.py"),
        ["of its recipe in", "was deleted or edited; launch it anew with: kitchen run mine"],
    ),
    "the adapter is not installed": (
        lambda daemon, run, files: wired_to(daemon, run, "torch_remote"),
        [
            "there is no adapter 'torch_remote' for training_client",
            "install what provides it, then: kitchen resume",
        ],
    ),
    "the checkpoints are gone": (
        lambda daemon, run, files: without_checkpoints(daemon, run),
        ["is gone: there is no", "so are the 2 before it", "begin anew with: kitchen retry"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_has_changed_is_said_at_once(daemon, stopped, files, case):
    break_it, parts = BROKEN[case]
    run, _ = stopped
    with break_it(daemon, run, files), pytest.raises(Refused) as refused:
        daemon.client.resume(run.id)
    message = refused.value.message
    assert message.startswith(f"run {run.id} can't go on: ")
    assert "\n" not in message
    assert [part for part in parts if part not in message] == []
    assert daemon.client.run(run.id).status == "paused"


@pytest.mark.parametrize(
    ("kept", "words"), [(1, "no older one is kept"), (2, "so is the one before")]
)
def test_how_many_checkpoints_are_gone_is_counted_in_plain_words(daemon, kept, words):
    overrides = QUICK | {"keep_checkpoints": kept}
    run, _ = paused(daemon, Launch(recipe="sl_basic", overrides=overrides))
    with without_checkpoints(daemon, run), pytest.raises(Refused, match=f" any more, and {words}"):
        daemon.client.resume(run.id)


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_a_run_of_a_gpu_that_is_gone_says_so(daemon, stopped):
    run, _ = stopped
    with Store.open(daemon.home.root) as store:
        record = store.get_run(run.id)
    on_gpu = record.model_copy(update={"config": record.config | {"device": "cuda"}})
    with pytest.raises(ResumeError) as refused:
        check_installed(on_gpu)
    assert str(refused.value) == (
        f"run {run.id} can't go on: it trains on a GPU, and no NVIDIA GPU is found here now; "
        f"bring it back, then: kitchen resume {run.id}"
    )


def test_with_everything_put_back_it_goes_on_and_then_is_over(daemon, stopped):
    run, cursor = stopped
    resumed = daemon.client.resume(run.id)
    assert resumed.reason == f"resumed; goes on from step {run.progress.step}"
    with pytest.raises(Refused, match=f"run {run.id} .*already"):
        daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    assert daemon.client.run(run.id).status == "completed"
    with pytest.raises(Refused) as refused:
        daemon.client.resume(run.id)
    assert refused.value.message == (
        f"run {run.id} has completed, so there is nothing to resume; "
        f"run the same again with: kitchen retry {run.id}"
    )


def test_a_run_that_waits_for_another_is_not_resumed_past_it(daemon):
    parent = daemon.launch(max_steps=200)
    child = daemon.launch(max_steps=1, model=f"run:{parent.id}")
    with pytest.raises(
        Refused, match=f"run {child.id} waits by itself: after sl_basic {parent.id}"
    ):
        daemon.client.resume(child.id)
    daemon.client.cancel(child.id)
    daemon.client.cancel(parent.id)
    daemon.settled(parent.id)


def test_a_run_without_a_checkpoint_says_that_it_begins_anew(daemon):
    run = daemon.launch(max_steps=200, save_every=0)
    daemon.client.cancel(run.id)
    daemon.settled(run.id)
    again = daemon.client.resume(run.id)
    assert again.reason == "resumed; it has saved no checkpoint yet, so it begins at step 0"
    cursor = daemon.until(run.id, happened("run.cancelled"))[-1].cursor
    daemon.until(run.id, is_at_rest, cursor=cursor)
    assert daemon.client.run(run.id).status == "completed"


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(daemon, undisturbed):
    run, cursor = paused(daemon, Launch(recipe="sl_basic", overrides=QUICK))
    *_, older, newest = [a for a in run.artifacts if a.name.startswith("checkpoints/")]
    flip_a_bit(daemon.home.root / newest.path / "session" / "state.safetensors")
    daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    done = daemon.client.run(run.id)
    assert (done.status, final_sha256(done)) == ("completed", undisturbed[1])
    events = daemon.client.events(run.id)
    resumed = next(event for event in events if event.kind == "run.resumed")
    assert resumed.step == older.step
    (warning,) = [
        event.metadata["message"] for event in events if event.metadata.get("level") == "warning"
    ]
    assert warning.startswith(f"{newest.name} is damaged: ")
    assert warning.endswith(f"going on from {older.name}")


def test_a_run_whose_checkpoints_are_all_damaged_fails_with_the_reason(daemon):
    run, cursor = paused(daemon, Launch(recipe="sl_basic", overrides=QUICK))
    for artifact in run.artifacts:
        flip_a_bit(daemon.home.root / artifact.path / "state.json")
    daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    failed = daemon.client.run(run.id)
    assert (failed.status, failed.error.type) == ("failed", "ResumeError")
    assert failed.reason == failed.error.message
    assert f"run {run.id} can't go on: {run.artifacts[-1].name} is damaged" in failed.reason
    assert failed.reason.endswith(f"begin anew with: kitchen retry {run.id}")
    again = daemon.settled(daemon.client.retry(run.id).id)
    assert again.status == "completed"


READING = """
import os
import signal
from pathlib import Path
from types import MappingProxyType

from kitchen_core import Recipe, RunConfig
from kitchen_core.workflow.checkpoint import save_checkpoint
from kitchen_core.workflow.graph import Workflow, loop, stage
from kitchen_core.workflow.stage import Keeping, Stage

FOLDER = Path({folder!r})

class ReadLines(Stage):
    name = "ReadLines"
    writes = MappingProxyType({{"lines": Keeping.REBUILT}})
    async def run(self, ctx):
        ctx.state["lines"] = (FOLDER / "lines.txt").read_text().splitlines()

class DieOnce(Stage):
    name = "DieOnce"
    async def run(self, ctx):
        await save_checkpoint(ctx.run)
        if not (FOLDER / "died").exists():
            (FOLDER / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)

steps = loop("steps", over="lines", item="line", between=(stage(DieOnce()),), counts_steps=True)
workflow = Workflow("reading", "Reads a file.", RunConfig, (stage(ReadLines()), steps))
recipe = Recipe("reading", "Reads a file", workflow, RunConfig())
"""


def test_what_a_recipes_own_stage_makes_otherwise_than_before_is_named(daemon, tmp_path):
    (tmp_path / "reading.py").write_text(READING.format(folder=str(tmp_path)))
    (tmp_path / "lines.txt").write_text("a\nb\n")
    run = daemon.client.launch(Launch(recipe=str(tmp_path / "reading.py")))
    cursor = daemon.until(run.id, happened("run.interrupted"))[-1].cursor
    with edited(tmp_path / "lines.txt", b"c\n"):
        daemon.client.resume(run.id)
        cursor = daemon.until(run.id, is_at_rest, cursor=cursor)[-1].cursor
    failed = daemon.client.run(run.id)
    assert (failed.status, failed.error.type) == ("failed", "ResumeError")
    assert failed.reason == (
        "'lines' (made by ReadLines from the config) came out different from when the checkpoint at "
        "step 0 was saved: the code of ReadLines, or something that it reads, has changed; put that "
        f"back and go on with: kitchen resume {run.id}, or begin anew with: kitchen retry {run.id}"
    )
    daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    assert daemon.client.run(run.id).status == "completed"
