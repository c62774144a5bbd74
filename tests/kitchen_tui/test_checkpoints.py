"""kitchen checkpoints: what a service keeps, shown and changed."""

from __future__ import annotations

import json
import os
import pty
import time

import pytest

from kitchen_daemon.models import CheckpointInfo
from kitchen_tui.cli.arguments import seconds_argument
from kitchen_tui.cli.errors import Failure
from tests.kitchen_tui.support import RUN_ID, Refusal

PATH = "tinker://0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f:train:0/weights/000020"
NOW = time.time()
KEPT = [
    CheckpointInfo(
        path="tinker://b/sampler_weights/final",
        kind="sampler",
        created_at=NOW - 7200,
        expires_at=None,
        size_bytes=2_500_000,
        public=True,
    ),
    CheckpointInfo(
        path=PATH,
        kind="training",
        created_at=NOW - 3 * 86400,
        expires_at=NOW + 4.5 * 86400,
        size_bytes=None,
        public=False,
        run=RUN_ID,
    ),
]


@pytest.fixture
def full(stub):
    stub.answers |= {"GET /checkpoints": KEPT, "POST /checkpoints": {}}
    return stub


def changes(stub) -> list[dict]:
    return stub.bodies("POST /checkpoints")


@pytest.mark.parametrize("words", [["checkpoints"], ["checkpoints", "list"]])
def test_they_are_listed_from_the_real_services_manifest(full, command, words):
    said = command(*words, "--json")
    assert json.loads(said.out) == [kept.model_dump() for kept in KEPT]
    assert full.asked[-1][1] == {"manifest": ["prod"]}


def test_a_wide_terminal_shows_a_line_each(full, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    said = command("checkpoints")
    header, final, state = said.out.splitlines()
    assert header.split() == ["path", "kind", "made", "expires", "size", "loaded", "by", "run"]
    assert final.split()[1:] == ["sampler", "2h", "ago", "never", "2.5", "MB", "everybody", "–"]
    assert state.split() == [PATH, "training", "3d", "ago", "in", "4d", "–", "you", RUN_ID]
    assert said.err == "2 checkpoints, 2.5 MB; 1 kept until you delete them\n"


def test_a_narrow_one_shows_whole_paths_with_the_rest_below(full, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = command("checkpoints").out.splitlines()
    assert lines[2] == PATH
    assert lines[3] == (f"  training, made 3d ago, expires in 4d, –, loaded by you  run {RUN_ID}")


def test_none_is_said_in_words(stub, command):
    stub.answers["GET /checkpoints"] = []
    said = command("checkpoints")
    assert (said.code, said.out) == (0, "")
    assert said.err == "The service keeps no checkpoints of yours.\n"


@pytest.mark.parametrize(
    ("words", "change", "answer"),
    [
        (["expire", PATH, "--after", "7d"], ("expire", 604800.0), f"{PATH} goes in 7d 00h"),
        (["expire", PATH, "--after", "never"], ("expire", None), f"{PATH} is kept for ever"),
        (["publish", PATH], ("publish", None), f"{PATH} can be loaded by everybody"),
        (["unpublish", PATH], ("unpublish", None), f"{PATH} can be loaded by you alone"),
        (["delete", PATH, "--yes"], ("delete", None), f"{PATH} is deleted"),
    ],
)
def test_what_is_asked_for_is_done_and_said(full, command, words, change, answer):
    said = command("checkpoints", *words)
    assert (said.code, said.out) == (0, answer + "\n")
    action, after_s = change
    expected = {"manifest": "prod", "path": PATH, "action": action, "after_s": after_s}
    assert changes(full) == [expected]


@pytest.mark.parametrize(
    "words",
    [
        ["--manifest", "mine", "delete", PATH, "--yes"],
        ["delete", "--manifest", "mine", PATH, "--yes"],
        ["--manifest", "prod", "delete", "--manifest", "mine", PATH, "--yes"],
    ],
)
def test_the_manifest_may_be_named_before_or_after_the_command(full, command, words):
    command("checkpoints", *words)
    assert [change["manifest"] for change in changes(full)] == ["mine"]


def test_a_manifest_file_is_sent_as_an_absolute_path(full, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command("checkpoints", "--manifest", "./mine.toml")
    assert full.asked[-1][1] == {"manifest": [str(tmp_path / "mine.toml")]}


@pytest.mark.parametrize(("answer", "deleted"), [("y", 1), ("n", 0), ("", 0)])
def test_a_person_is_asked_before_one_is_deleted(full, command, monkeypatch, answer, deleted):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(ours, f"{answer}\n".encode())
        said = command("checkpoints", "delete", PATH)
    os.close(ours)
    assert f"Delete {PATH}? It can't be brought back." in said.err
    assert len(changes(full)) == deleted
    assert ("Nothing was deleted." in said.err) == (not deleted)
    assert said.code == 0


def test_a_script_is_not_asked(full, command):
    assert command("checkpoints", "delete", PATH).out == f"{PATH} is deleted\n"


def test_what_the_daemon_refuses_comes_in_its_words(stub, command):
    message = "the manifest dev has no service that keeps checkpoints; use --manifest prod"
    stub.answers["GET /checkpoints"] = Refusal(422, message)
    said = command("checkpoints", "--manifest", "dev")
    assert (said.code, said.err) == (2, f"error: {message}\n")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["expire", PATH, "--after", "soon"], "'soon' is no length of time"),
        (["expire", PATH, "--after", "0d"], "can't go after no time"),
        (["expire", PATH], "--after"),
        (["delete", " "], "path is missing"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_anybody_is_asked(full, command, words, what):
    said = command("checkpoints", *words)
    assert said.code == 2
    assert what in said.err
    assert not changes(full)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90m", 5400),
        ("1.5h", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("1d12h", 129600),
    ],
)
def test_lengths_of_time_are_read_in_their_units(text, seconds):
    assert seconds_argument(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1y", "1d 2", "1d!", "infd"])
def test_what_is_no_length_of_time_is_refused_with_an_example(text):
    with pytest.raises(Failure) as refused:
        seconds_argument(text)
    assert "7d" in refused.value.hint
