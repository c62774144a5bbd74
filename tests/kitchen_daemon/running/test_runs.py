"""Runs through a real daemon and real workers: what users do, and what they are told."""

import json
import shutil
import subprocess

import pytest

from kitchen_core.builtin import model_folder
from kitchen_daemon.client import Refused
from kitchen_daemon.launching.asking import MARGIN
from kitchen_daemon.models import Launch
from tests.kitchen_daemon.support import (
    QUICK,
    final_sha256,
    happened,
    is_at_rest,
    reached_step,
)
from tests.rows import write_jsonl

CHAT = [
    {"messages": [{"role": "user", "content": f"{i}?"}, {"role": "assistant", "content": f"{i}!"}]}
    for i in range(40)
]


def test_sl_basic_learns_the_form_that_the_base_does_not_know(daemon):
    run = daemon.settled(daemon.client.launch(Launch(recipe="sl_basic")).id)
    assert (run.status, run.error) == ("completed", None)
    series = daemon.client.metrics(run.id)
    exact = [value for _, value in series["test/exact_match"]]
    assert exact[0] < 0.05
    assert exact[-1] > 0.5
    losses = [value for _, value in series["train_mean_nll"]]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    seconds = sum(value for _, value in series["time/step_s"])
    assert seconds < 60
    assert run.progress.step == run.progress.total_steps == len(losses)


def test_the_same_seed_gives_the_same_losses_and_the_same_bytes(daemon, undisturbed):
    first, sha256 = undisturbed
    again = daemon.settled(daemon.launch().id)
    assert final_sha256(again) == sha256
    name = ["train_mean_nll"]
    assert daemon.client.metrics(again.id, name) == daemon.client.metrics(first.id, name)
    other = daemon.settled(daemon.launch(seed=1, max_steps=3).id)
    assert (
        daemon.client.metrics(other.id, name)[name[0]]
        != (daemon.client.metrics(first.id, name)[name[0]][:3])
    )


def test_a_run_tells_all_of_itself(daemon, undisturbed):
    run, sha256 = undisturbed
    events = daemon.client.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["run.created", "run.queued", "run.running"]
    assert kinds[-1] == "run.completed"
    assert {"dataset.loaded", "checkpoint.saved", "artifact.created"} <= set(kinds)
    assert [artifact.name for artifact in run.artifacts] == [
        "checkpoints/000030",
        "checkpoints/000040",
        "checkpoints/000050",
        "final",
    ]
    assert run.config["max_steps"] == 60
    assert (run.config["threads"], run.config["lora_rank"], run.config["device"]) == (1, 0, "cpu")
    graph = daemon.client.lineage(run.id)
    roles = {(edge.role, edge.target) for edge in graph.edges if edge.target == f"run:{run.id}"}
    assert {role for role, _ in roles} == {"model", "dataset", "recipe"}
    assert f"artifact:{sha256}" in {node.id for node in graph.nodes}
    dataset = next(node for node in graph.nodes if node.kind == "dataset")
    loaded = next(event for event in events if event.kind == "dataset.loaded")
    assert dataset.sha256 == loaded.metadata["sha256"]


def test_a_stream_gives_every_event_once_and_every_value_before_the_end(daemon, undisturbed):
    run, _ = undisturbed
    items = daemon.until(run.id, is_at_rest)
    seqs = [item.event.seq for item in items if item.event]
    assert seqs == [event.seq for event in daemon.client.events(run.id)]
    steps = [p.step for i in items for p in i.metrics or [] if p.name == "train_mean_nll"]
    assert steps == list(range(60))
    middle = len(items) // 2
    rest = daemon.until(run.id, is_at_rest, cursor=items[middle - 1].cursor)
    assert [item.cursor for item in rest] == [item.cursor for item in items[middle:]]


def test_a_child_waits_for_its_parent_and_starts_from_its_model(daemon):
    parent = daemon.launch(max_steps=5, register_as="small")
    child = daemon.launch(max_steps=2, model=f"run:{parent.id}")
    assert child.status == "held"
    assert parent.id in (child.reason or "")
    assert child.after == child.parents == [parent.id]
    child = daemon.settled(child.id)
    assert child.status == "completed"
    parent = daemon.client.run(parent.id)
    graph = daemon.client.lineage(child.id)
    edges = {(edge.source, edge.target, edge.role) for edge in graph.edges}
    made = f"artifact:{final_sha256(parent)}"
    assert {(f"run:{parent.id}", made, "made"), (made, f"run:{child.id}", "model")} <= edges
    named = daemon.launch(max_steps=1, model="model:small@latest")
    assert named.pins["model:small@latest"] == made
    assert daemon.settled(named.id).status == "completed"


def test_the_latest_run_of_a_recipe_can_be_built_on_again_and_again(daemon):
    latest = "run:sl_basic@latest"
    first = daemon.launch(max_steps=1, model=latest)
    second = daemon.launch(max_steps=1, model=latest)
    third = daemon.launch(max_steps=1, model=latest)
    assert second.pins[latest] == f"run:{first.id}"
    assert third.pins[latest] == f"run:{second.id}"
    assert daemon.settled(third.id).status == "completed"


def test_a_run_that_waits_in_vain_says_so_in_its_stream(daemon):
    parent = daemon.launch(max_steps=200)
    child = daemon.launch(max_steps=1, model=f"run:{parent.id}")
    daemon.client.cancel(parent.id)
    told = daemon.until(child.id, lambda item: bool(item.event and item.event.metadata.get("lost")))
    assert told[-1].event.metadata["lost"] == [parent.id]
    assert f"kitchen resume {parent.id}" in daemon.client.run(child.id).reason
    assert daemon.client.cancel(child.id).status == "cancelled"


def test_the_lineage_of_data_leads_to_every_run_that_used_it(daemon, undisturbed):
    run, _ = undisturbed
    graph = daemon.client.lineage(run.id)
    (dataset,) = [node for node in graph.nodes if node.kind == "dataset"]
    used = daemon.client.lineage(dataset.sha256[:12])
    assert f"run:{run.id}" in {edge.target for edge in used.edges if edge.source == dataset.id}


def test_a_retry_is_the_same_run_again(daemon, undisturbed):
    run, sha256 = undisturbed
    again = daemon.client.retry(run.id)
    assert (again.retry_of, again.config_hash, again.pins, again.recipe_revision) == (
        run.id,
        run.config_hash,
        run.pins,
        run.recipe_revision,
    )
    assert again.quote.basis == "measured"  # by the run that it repeats, if by no earlier one
    assert again.needs.memory_bytes == round(MARGIN * again.quote.memory_bytes)
    assert final_sha256(daemon.settled(again.id)) == sha256


def test_a_paused_run_goes_on_where_it_was_even_where_the_cache_is_gone(daemon, undisturbed):
    run = daemon.launch()
    daemon.until(run.id, reached_step(25))
    daemon.client.pause(run.id)
    paused = daemon.settled(run.id)
    assert paused.status == "paused"
    shutil.rmtree(daemon.home.cache)
    last = daemon.until(run.id, happened("run.paused"))[-1].cursor
    daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=last)
    done = daemon.client.run(run.id)
    assert (done.status, final_sha256(done)) == ("completed", undisturbed[1])
    resumed = next(e for e in daemon.client.events(run.id) if e.kind == "run.resumed")
    assert resumed.step == paused.progress.step


def test_a_running_run_can_be_cancelled_and_a_queued_one_too(daemon):
    running = daemon.launch(max_steps=200)
    queued = daemon.launch()
    daemon.until(running.id, reached_step(3))
    assert daemon.client.cancel(queued.id).status == "cancelled"
    daemon.client.cancel(running.id)
    cancelled = daemon.settled(running.id)
    assert cancelled.status == "cancelled"
    assert cancelled.progress.step < 200
    assert "final" not in {artifact.name for artifact in cancelled.artifacts}


def test_a_run_that_stopped_early_says_so_in_the_reason_it_completed_with(daemon):
    stopping = {"early_stopping_patience": 1, "keep_best": True, "best_is": "highest"}
    run = daemon.settled(daemon.launch(max_steps=9, eval_every=3, eval_samples=1, **stopping).id)
    stopped, kept = (run.reason or "").split("; ")
    assert stopped.startswith("stopping at step 3 of 9: test/nll was best at step 0 (")
    assert kept.startswith("the final model is the one of step 0: ")


def test_a_row_that_does_not_fit_is_told_in_one_line_and_the_traceback_is_in_the_log(
    daemon, tmp_path
):
    rows = [*CHAT, {"messages": [{"role": "owl", "content": "hoo"}]}]
    path = write_jsonl(tmp_path / "owls.jsonl", rows)
    run = daemon.settled(daemon.launch(dataset=f"file:{path}").id)
    assert run.status == "failed"
    assert run.error
    assert run.error.type == "RowError"
    assert run.error.stage == "LoadDataset"
    assert "owls.jsonl row" in run.error.message
    assert "messages[0].role" in run.error.message
    assert run.error.log_tail == []
    assert any("Traceback" in line for line in daemon.client.log(run.id))
    assert daemon.settled(daemon.launch(max_steps=1).id).status == "completed"


def test_data_that_changed_since_it_was_submitted_is_refused(daemon, tmp_path):
    path = write_jsonl(tmp_path / "chat.jsonl", CHAT)
    blocking = daemon.launch(max_steps=100)
    run = daemon.launch(dataset=f"file:{path}", max_steps=1)
    write_jsonl(path, CHAT[1:])
    daemon.client.cancel(blocking.id)
    refused = daemon.settled(run.id)
    assert refused.status == "failed"
    assert "has changed since this run was submitted" in refused.error.message


@pytest.fixture
def recipe_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return str(path)

    return write


REFUSED = {
    "unknown recipe": (
        {"recipe": "sl_basik"},
        "unknown recipe 'sl_basik'; did you mean 'sl_basic'?",
    ),
    "unknown key": ({"overrides": {"max_step": "3"}}, "unknown setting 'max_step'; did you mean"),
    "out of bounds": (
        {"overrides": {"max_steps": "0"}},
        "max_steps: given '0', expected 1 or more",
    ),
    "unknown preset": ({"preset": "gpuu"}, "unknown preset 'gpuu'; did you mean 'gpu'?"),
    "unknown manifest": ({"manifest": "deev"}, "there is no manifest 'deev'; did you mean 'dev'?"),
    "unknown adapter": (
        {"adapters": {"training_client": "torch"}},
        "there is no adapter 'torch' for training_client; did you mean 'torch_local'?",
    ),
    "unknown port": ({"adapters": {"trainer": "memory"}}, "there is no port 'trainer'"),
    "not a ref": ({"overrides": {"model": "tiny"}}, "'tiny' is not a ref"),
    "missing file": (
        {"overrides": {"dataset": "/no/data.jsonl"}},
        "there is no file /no/data.jsonl",
    ),
    "missing model": ({"overrides": {"model": "/no/model"}}, "there is no folder /no/model"),
    "unknown builtin": ({"overrides": {"model": "builtin:tinny"}}, "tiny"),
    "unknown parent": ({"overrides": {"model": "run:nobody"}}, "there is no run 'nobody'"),
    "priority too high": ({"priority": 10**20}, "priority"),
    "seed too large": ({"overrides": {"seed": str(10**20)}}, "seed: given"),
    "not finite": ({"overrides": {"weight_decay": "inf"}}, "weight_decay: given 'inf', expected"),
    "no dataset": ({"overrides": {"dataset": ""}}, "'' is not a ref"),
    "a run as data": (
        {"overrides": {"dataset": "run:x"}},
        "'run:x': what a run makes is a model and no dataset",
    ),
    "a model's subset": ({"overrides": {"model": "org/m#s"}}, "a model has no subsets"),
    "mixing what is not there": (
        {"overrides": {"mix": '{"/no/data.jsonl": 0.5}'}},
        "there is no file /no/data.jsonl",
    ),
    "after nobody": ({"after": ["nobody"]}, "there is no run 'nobody'"),
    "gpu without one": ({"overrides": {"device": "cuda"}}, "no NVIDIA GPU was found"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_launch_that_cant_work_is_refused_in_one_line(daemon, case):
    launch, message = REFUSED[case]
    with pytest.raises(Refused) as refused:
        daemon.client.launch(Launch.model_construct(**{"recipe": "sl_basic", **launch}))
    assert 400 <= refused.value.status < 500
    assert message in refused.value.message
    assert "\n" not in refused.value.message


def test_a_model_folder_without_weights_is_refused_before_anything_is_loaded(daemon, tmp_path):
    for file in model_folder("tiny").iterdir():
        if file.is_file() and file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(Refused, match=r"weights|safetensors"):
        daemon.launch(model=str(tmp_path))


def test_a_recipe_with_a_syntax_error_is_named_with_its_line(daemon, recipe_file):
    with pytest.raises(Refused, match=r"mine\.py:2: syntax error"):
        daemon.client.launch(Launch(recipe=recipe_file("x = 1\ndef f(:\n")))


def test_a_recipe_that_ends_its_process_does_not_end_the_daemon(daemon, recipe_file):
    with pytest.raises(Refused, match="its process ended while loading"):
        daemon.client.launch(Launch(recipe=recipe_file("import os\nos._exit(3)\n")))
    assert daemon.client.status().pid


def test_a_run_is_pinned_to_the_recipe_as_it_was(daemon, recipe_file):
    text = (
        "from kitchen_core import Recipe\n"
        "from kitchen_core.workflows import SupervisedConfig, supervised\n"
        'recipe = Recipe("mine", "Mine", supervised, SupervisedConfig(max_steps=2, eval_every=0))\n'
    )
    blocking = daemon.launch(max_steps=100)
    run = daemon.client.launch(Launch(recipe=recipe_file(text)))
    recipe_file("this is broken now")
    daemon.client.cancel(blocking.id)
    assert daemon.settled(run.id).status == "completed"


def test_a_plan_shows_what_would_run_and_queues_nothing(daemon):
    before = daemon.client.runs()
    plan = daemon.client.plan(
        Launch(recipe="sl_basic", overrides=QUICK | {"model": "builtin:tiny"})
    )
    assert plan.config["max_steps"] == 60
    assert plan.adapters["training_client"] == "torch_local"
    assert plan.drawing[0] == "workflow supervised"
    assert daemon.client.runs() == before


def test_the_whole_run_works_on_the_in_memory_doubles(daemon):
    run = daemon.client.launch(Launch(recipe="sl_basic", manifest="test", overrides=QUICK))
    assert daemon.settled(run.id).status == "completed"


def test_the_api_has_its_document_and_answers_curl(daemon):
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", daemon.home.socket, "http://kitchen/openapi.json"],
        capture_output=True,
        check=True,
    )
    paths = json.loads(done.stdout)["paths"]
    assert {"/runs", "/runs/{run}", "/stream", "/status"} <= set(paths)
