"""What the command line says of recipes and their revisions."""

from __future__ import annotations

import time

import pytest

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_daemon.models import FROM_NOW, StreamItem
from tests.kitchen_tui.support import Cut, Refusal

SHA, OLDER = "3fa9c1d2" + "0" * 56, "77e0b4aa" + "0" * 56
GOOD = {
    "name": "mine",
    "path": "/recipes/mine.py",
    "description": "Mine",
    "workflow": "supervised",
    "presets": ["gpu"],
    "shipped": False,
    "error": None,
    "revision": SHA,
    "revised_at": 1000.0,
}
BROKEN = GOOD | {"name": "yours", "description": "", "error": "/recipes/yours.py:3: NameError: x"}
STATUS = {
    "version": "0",
    "pid": 1,
    "home": "/",
    "socket": "/s",
    "started_at": 1.0,
    "standby_ready": True,
    "running": [],
    "queued": [],
    "schema_version": "3",
}


def told(number: int, kind: EventKind, **facts: object) -> StreamItem:
    event = Event(
        id=number,
        run_id=None,
        seq=None,
        attempt=None,
        at=1000.0,
        kind=kind,
        metadata={"recipe": "mine"} | facts,
    )
    return StreamItem(cursor=f"{number}.0", event=event)


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_says_which_revision_each_is_and_what_is_wrong(stub, command, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    recent = GOOD | {"revised_at": time.time() - 185}
    stub.answers["GET /recipes"] = [recent, BROKEN]
    _, good, *broken = command("recipes").out.splitlines()
    assert good.split()[:4] == ["mine", "3fa9c1d2", "3m", "ago"]
    assert "NameError: x" in " ".join(" ".join(broken).split())
    assert ("supervised" in good) == (width == 120)


def test_a_recipe_s_page_lists_its_revisions_with_their_commits(stub, command):
    revisions = [
        {"sha256": SHA, "git_commit": "c0ffee00" + "1" * 32, "git_dirty": True},
        {"sha256": OLDER, "git_commit": None, "git_dirty": False},
    ]
    shared = {"recipe": "mine", "source_path": "/recipes/mine.py", "created_at": 1000.0}
    stub.answers["GET /recipe"] = GOOD | {"revisions": [each | shared for each in revisions]}
    lines = command("recipes", "show", "mine", "--revision", "good").out.splitlines()
    at = lines.index("Revisions")
    assert lines[at + 1].startswith("3fa9c1d2  19")
    assert lines[at + 1].endswith("commit c0ffee00, changed since")
    assert lines[at + 2].startswith("77e0b4aa  19")
    assert stub.asked[-1][1] == {"name": ["mine"], "revision": ["good"]}


def test_watching_says_what_becomes_of_each_save_through_a_restart(stub, command):
    answers = [STATUS]

    def status(_: object) -> dict[str, object]:
        if answers:
            return answers.pop()
        raise Refusal(503, "gone for good")

    stub.answers["GET /status"] = status
    stub.streams = [
        [
            told(
                1, EventKind.RECIPE_REVISED, sha256=SHA, previous=OLDER, files=["mine.py", "h.py"]
            ),
            Cut(),
        ],
        [
            told(2, EventKind.RECIPE_BROKEN, error="mine.py:3: NameError: x", good=SHA),
            told(3, EventKind.LOG),
            told(4, EventKind.RECIPE_REVISED, sha256=SHA, previous=SHA, files=[]),
            told(5, EventKind.RECIPE_REMOVED),
        ],
    ]
    said = command("recipes", "watch")
    assert (said.code, "gone for good" in said.err) == (1, True)
    assert [line[10:] for line in said.out.splitlines()] == [
        "mine  revised  3fa9c1d2  (mine.py, h.py)",
        "mine  broken   mine.py:3: NameError: x; 3fa9c1d2 still runs",
        "mine  revised  3fa9c1d2  (as it was before)",
        "mine  removed",
    ]
    assert stub.cursors[:2] == [FROM_NOW, "1.0"]
