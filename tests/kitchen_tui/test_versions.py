"""A command and a daemon of different versions: after an update the old daemon may still run."""

from __future__ import annotations

import json

import pytest

from kitchen_daemon.models import Problem
from tests.kitchen_tui.support import RUN_ID, Refusal, run_info

HINT = "hint: Let the new one start, while runs go on: kitchen down; then the same again.\n"


class UnknownPath(Refusal):
    """As FastAPI answers for a path that it has not."""

    def __init__(self) -> None:
        super().__init__(404, "")
        self.problem = {"detail": "Not Found"}


def test_what_an_old_daemon_can_not_do_is_told_with_what_to_do(stub, command):
    stub.answers["GET /checkpoints"] = UnknownPath()
    said = command("checkpoints")
    assert said.code == 1
    assert said.err == (
        f"error: the daemon that runs is of another version and can't do that\n{HINT}"
    )


@pytest.mark.parametrize("words", [("show", "first"), ("push", "first")])
def test_an_answer_that_is_not_understood_is_told_in_one_line(stub, command, words):
    stub.answers |= {"GET /runs/first": {"id": 5}, "POST /pushes": b'{"begun": 5}\n'}
    said = command(*words)
    assert (said.code, said.out) == (1, "")
    assert said.err.endswith(f"is of another version and answers otherwise\n{HINT}")


def test_what_a_newer_daemon_says_beyond_is_left_out(stub, command):
    newer = json.loads(run_info().model_dump_json()) | {"mood": "good"}
    newer["progress"]["mood"] = "good"
    stub.answers["GET /runs/first"] = newer
    assert json.loads(command("show", "first", "--json").out)["id"] == RUN_ID
    refusal = stub.answers["POST /runs/first/cancel"] = Refusal(409, "it is over")
    refusal.problem = _Newer(message="it is over", mood="bad")
    assert command("cancel", "first").err == "error: it is over\n"


class _Newer(Problem):
    mood: str
