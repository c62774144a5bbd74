"""Data through a real daemon and real workers: from the hub, and mixed."""

import json

import pytest

from kitchen_core.folder_locks import alone_in
from kitchen_daemon.models import Launch
from tests.doubles.hub import HubDouble, Repo, serve
from tests.kitchen_daemon.support import QUICK, final_sha256, happened
from tests.rows import chat, write_jsonl

SHORT = QUICK | {"max_steps": 4, "save_every": 0}


def chats(word, count=40):
    return [chat(f"{word} {i}?", f"{i}!") for i in range(count)]


@pytest.fixture
def hub(daemon, tmp_path):
    """A hub with a dataset, and a manifest of the daemon's home that leads there."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_jsonl(folder / "train.jsonl", chats("hub"))
    with serve(HubDouble(datasets={"org/chat": Repo(folder)})) as double:
        manifests = daemon.home.root / "manifests"
        manifests.mkdir(exist_ok=True)
        (manifests / "lab.toml").write_text(
            '[ports.training_client]\nadapter = "memory"\n'
            f'[ports.dataset_hub]\nadapter = "hugging_face"\nendpoint = "{double.endpoint}"\n'
            f'folder = "{tmp_path / "kept"}"\n'
        )
        yield double


def launched(daemon, **overrides):
    launch = Launch(recipe="sl_basic", manifest="lab", overrides=SHORT | overrides)
    return daemon.client.launch(launch)


def loaded(daemon, run):
    events = daemon.client.events(run.id)
    return {event.metadata["role"]: event for event in events if event.kind == "dataset.loaded"}


def test_a_hub_dataset_is_pinned_to_the_commit_that_was_fetched_first(daemon, hub):
    run = launched(daemon, dataset="org/chat")
    assert "org/chat" not in run.pins
    run = daemon.settled(run.id)
    assert (run.status, run.error) == ("completed", None)
    assert run.pins["org/chat"] == f"hf:org/chat@{'a' * 40}"
    assert loaded(daemon, run)["dataset"].metadata["revision"] == "a" * 40
    hub.datasets["org/chat"].commit = "b" * 40
    again = daemon.settled(daemon.client.retry(run.id).id)
    assert again.pins == run.pins
    assert final_sha256(again) == final_sha256(run)


def test_a_hub_dataset_that_is_not_there_fails_the_run_with_what_to_do(daemon, hub):
    run = daemon.settled(launched(daemon, dataset="org/nothing").id)
    assert run.status == "failed"
    assert "there is no dataset org/nothing" in run.error.message
    assert run.error.hint


def test_a_mixed_run_has_an_edge_and_an_event_for_every_set(daemon, hub, tmp_path):
    other = f"file:{write_jsonl(tmp_path / 'other.jsonl', chats('file'))}"
    test = f"file:{write_jsonl(tmp_path / 'test.jsonl', chats('test', 5))}"
    mix = json.dumps({other: 0.5, "builtin:chat": {"share": 0.25}})
    run = launched(
        daemon, dataset="org/chat", mix=mix, test_dataset=test, num_epochs=10, eval_every=60
    )
    run = daemon.settled(run.id)
    assert (run.status, run.error) == ("completed", None)
    assert set(run.pins) >= {other, test, "org/chat", "builtin:chat"}
    edges = [
        (edge.role, edge.source)
        for edge in daemon.client.lineage(run.id).edges
        if edge.target == f"run:{run.id}" and edge.role not in ("model", "recipe")
    ]
    assert sorted(role for role, _ in edges) == ["dataset", "mix", "mix", "test_dataset"]
    events = [event for event in daemon.client.events(run.id) if event.kind == "dataset.loaded"]
    assert {f"artifact:{event.metadata['sha256']}" for event in events} == {
        source for _, source in edges
    }


def test_a_run_tells_that_it_waits_for_another_process_to_fetch(daemon, hub, tmp_path):
    with alone_in(tmp_path / "kept" / "org" / "chat", lambda: None):
        run = launched(daemon, dataset="org/chat")
        *_, told = daemon.until(run.id, happened("port.waiting"))
    assert told.event.metadata["message"] == "another process is fetching org/chat"
    assert told.event.metadata["asked"] == "fetch org/chat"
    run = daemon.settled(run.id)
    assert (run.status, run.error) == ("completed", None)
