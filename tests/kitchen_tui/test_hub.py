"""`kitchen hub` and `kitchen upload`."""

from __future__ import annotations

import json
import signal
from threading import Event as Signal

import pytest

from kitchen_daemon.models import HubModelInfo, UploadInfo, UploadPlan
from kitchen_tui.cli.errors import Exit
from tests.kitchen_tui.support import RUN_ID, Refusal, kitchen

CARD = "---\ntags: []\n---\n\n# mine\n"
PLAN = UploadPlan(run=RUN_ID, repo="me/mine", sha256="a" * 64, size_bytes=4_900_000_000, card=CARD)
MADE = UploadInfo(
    run=RUN_ID,
    repo="me/mine",
    url="https://huggingface.co/me/mine",
    commit="c" * 40,
    sha256="a" * 64,
    size_bytes=4_900_000_000,
)
UPLOAD = "POST /runs/first/upload"


@pytest.fixture
def stub(stub):
    stub.answers[f"{UPLOAD}/plan"] = PLAN
    stub.answers[f"POST /runs/{RUN_ID}/upload"] = MADE
    return stub


def test_what_was_uploaded_is_told_by_its_address(stub, command):
    said = command("upload", "first", "me/mine")
    assert (said.code, said.out) == (0, "https://huggingface.co/me/mine\n")
    (asked,) = stub.bodies(f"POST /runs/{RUN_ID}/upload")
    assert asked == {"repo": "me/mine", "private": True, "manifest": "dev"}


def test_public_and_manifest_are_passed_on(stub, command):
    command("upload", "first", "me/mine", "--public", "--manifest", "prod")
    (asked,) = stub.bodies(f"POST /runs/{RUN_ID}/upload")
    assert asked == {"repo": "me/mine", "private": False, "manifest": "prod"}


def test_a_dry_run_prints_the_card_and_uploads_nothing(stub, command):
    assert command("upload", "first", "me/mine", "--dry-run").out == CARD
    as_json = command("upload", "first", "me/mine", "--dry-run", "--json")
    assert json.loads(as_json.out) == PLAN.model_dump()
    assert not stub.bodies(f"POST /runs/{RUN_ID}/upload")


def test_json_has_address_and_commit(stub, command):
    said = command("upload", "first", "me/mine", "--json")
    assert json.loads(said.out) == MADE.model_dump()


def test_a_refusal_is_one_line_and_what_to_do(stub, command):
    stub.answers[f"POST /runs/{RUN_ID}/upload"] = Refusal(422, "no token is set", "Set HF_TOKEN.")
    said = command("upload", "first", "me/mine")
    assert said.code == Exit.WRONG_USAGE
    assert said.out == ""
    assert "error: no token is set\nhint: Set HF_TOKEN.\n" in said.err


def test_models_are_listed_with_what_one_chooses_by(stub, command):
    stub.answers["GET /hub"] = [
        HubModelInfo(repo="org/big", gated=True, downloads=1_234_567, changed_at=None),
        HubModelInfo(repo="org/small", gated=False, downloads=5, changed_at=None),
    ]
    said = command("hub", "org")
    assert [line.split() for line in said.out.splitlines()] == [
        ["model", "downloads", "changed"],
        ["org/big", "1,234,567", "–", "gated"],
        ["org/small", "5", "–"],
    ]
    (route, query, _) = stub.asked[-1]
    assert (route, query) == (
        "GET /hub",
        {"query": ["org"], "manifest": ["dev"], "limit": ["20"]},
    )


def test_nothing_found_is_said(stub, command):
    stub.answers["GET /hub"] = []
    said = command("hub", "nothing")
    assert (said.code, said.out) == (0, "")
    assert said.err == "No model on the hub has 'nothing' in its name.\n"
    assert command("hub", "nothing", "--json").out == "[]\n"


def test_who_stops_waiting_is_told_that_the_daemon_goes_on(stub, home):
    asked, ended = Signal(), Signal()

    def upload(body):
        asked.set()
        ended.wait(30)
        return MADE

    stub.answers[f"POST /runs/{RUN_ID}/upload"] = upload
    process = kitchen(home, "upload", "first", "me/mine")
    assert asked.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    ended.set()
    assert (process.returncode, out) == (Exit.INTERRUPTED, "")
    assert "the daemon goes on with the upload" in err
    assert "Traceback" not in err
