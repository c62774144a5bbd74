"""kitchen push and kitchen pull: what is asked for, what is shown, and how it ends."""

import json

import pytest

from kitchen_daemon.models import Begun, FileProgress, Problem, TransferItem, Transferred

SHA = "ab" * 32
PLACE = "/mnt/second/kept"


def done(**changes):
    facts = {
        "sha256": SHA,
        "name": "final",
        "kind": "tree",
        "files": 2,
        "size_bytes": 1_084_009,
        "moved_files": 1,
        "moved_bytes": 1_084_000,
        "place": PLACE,
    }
    return Transferred.model_validate(facts | changes)


def lines(*items: TransferItem) -> bytes:
    return b"".join(item.model_dump_json(exclude_none=True).encode() + b"\n" for item in items)


def file(path: str, size: int, state: str) -> TransferItem:
    facts = {"path": path, "size_bytes": size, "done_bytes": size, "state": state}
    return TransferItem(file=FileProgress.model_validate(facts))


HISTORY = (
    TransferItem(begun=Begun(sha256=SHA, name="final", files=2, size_bytes=1_084_009, place=PLACE)),
    file("config.json", 9, "there"),
    TransferItem(notice="it asks to slow down; next attempt in 3 s"),
    file("model.safetensors", 1_084_000, "moving"),
    file("model.safetensors", 1_084_000, "moved"),
)


def test_a_push_says_what_goes_where_and_what_was_there(stub, command):
    stub.answers["POST /pushes"] = lines(*HISTORY, TransferItem(done=[done()]))
    said = command("push", "sl_basic", "--all", "--adapter", "blob_store=fsspec")
    assert said.code == 0
    assert said.err.splitlines() == [
        f"final  {SHA[:12]}  2 files, 1.08 MB, to {PLACE}",
        "  config.json  9 B  there already",
        "it asks to slow down; next attempt in 3 s",
        "  model.safetensors  1.08 MB  sent",
        f"bring it to another home: kitchen pull {SHA} --adapter blob_store=fsspec",
    ]
    assert said.out == f"{SHA}  final  1.08 MB: 1 file, 1.08 MB sent, the rest was there\n"
    (body,) = stub.bodies("POST /pushes")
    assert body == {
        "manifest": "dev",
        "adapters": {"blob_store": "fsspec"},
        "what": "sl_basic",
        "every": True,
    }


@pytest.mark.parametrize(("moved", "words"), [(0, "here already"), (2, "fetched")])
def test_a_pull_says_what_came_and_how_to_go_on(stub, command, moved, words):
    answer = done(moved_files=moved)
    stub.answers["POST /pulls"] = lines(TransferItem(done=[answer]))
    said = command("pull", f"artifact:{SHA}")
    assert said.code == 0
    assert words in said.out
    assert said.err == f"go on from it: kitchen run sl_basic model=artifact:{SHA}\n"
    assert stub.bodies("POST /pulls")[0]["sha256"] == SHA


@pytest.mark.parametrize("words", [("push", "sl_basic"), ("pull", SHA)])
def test_json_is_all_that_is_printed(stub, command, words):
    for route in ("POST /pushes", "POST /pulls"):
        stub.answers[route] = lines(*HISTORY, TransferItem(done=[done()]))
    said = command(*words, "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == [done().model_dump()]


@pytest.mark.parametrize(("status", "code"), [(422, 2), (502, 1)])
def test_a_problem_on_the_way_ends_it_with_what_to_do(stub, command, status, code):
    problem = Problem(message="s3://b/k is full", hint="Free some space there.")
    stub.answers["POST /pushes"] = lines(*HISTORY, TransferItem(problem=problem, status=status))
    said = command("push", "sl_basic")
    assert said.code == code
    assert said.err.endswith("error: s3://b/k is full\nhint: Free some space there.\n")
    assert said.out == ""


def test_a_daemon_that_goes_away_is_told_from_one_that_is_done(stub, command):
    stub.answers["POST /pushes"] = lines(*HISTORY)
    said = command("push", "sl_basic")
    assert said.code == 3
    assert "went away before it was done" in said.err


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "ab" * 33])
def test_only_a_whole_hash_can_be_pulled(home, command, text):
    said = command("pull", text)
    assert said.code == 2
    assert "is not a whole SHA-256" in said.err
