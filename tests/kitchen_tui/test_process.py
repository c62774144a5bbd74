"""The command as a process: pipes, terminals, the daemon that is not there, and the one that is."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from kitchen_core.telemetry.schema import EventKind
from tests.kitchen_tui.support import RUN_ID, event, history, kitchen, run_info

QUICK = ("max_steps=3", "eval_every=3", "eval_examples=4", "max_tokens=4")


def on_a_terminal(home, *arguments, columns=80):
    """What a command writes to a terminal, and its exit code."""
    ours, theirs = pty.openpty()
    environ = {"COLUMNS": str(columns), "LINES": "30", "TERM": "xterm-256color"}
    process = kitchen(home, *arguments, environ=environ, stdout=theirs, stdin=theirs)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # Linux says so when the last writer has gone
        pass
    os.close(ours)
    process.communicate(timeout=60)
    return process.returncode, written.decode()


@pytest.fixture
def watched(stub):
    stub.answers[f"GET /runs/{RUN_ID}"] = run_info()
    stub.answers[f"GET /runs/{RUN_ID}/events"] = []
    stub.streams = [history()]
    return stub


def test_a_closed_pipe_is_quiet(stub):
    stub.answers[f"GET /runs/{RUN_ID}/events"] = [
        event(seq, EventKind.LOG, metadata={"message": "x" * 1000}) for seq in range(1, 5000)
    ]
    process = kitchen(stub.home, "events", RUN_ID)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 141


def test_on_a_terminal_watching_draws_progress_chart_and_answers(watched):
    code, written = on_a_terminal(watched.home, "watch", RUN_ID)
    assert code == 0
    for words in ("2/2", "train_mean_nll", "┤", "right 25.0 ± 12.5 %", "1+1?", "✓"):
        assert words in written


def test_no_color_means_no_color(watched, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, written = on_a_terminal(watched.home, "show", RUN_ID)
    assert "completed" in written
    assert "\x1b[32m" not in written


def test_where_no_daemon_can_be_started_the_code_is_3_and_its_last_words_are_shown(home):
    home.make()
    home.daemon_lock.mkdir()  # the daemon can't open its lock
    process = kitchen(home, "runs")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert "IsADirectoryError" in err.splitlines()[0]
    assert err.splitlines()[1] == f"hint: read {home.daemon_log}"
    assert "Traceback" not in err


def test_status_and_down_do_not_start_a_daemon(home, command):
    said = command("status")
    assert said.code == 3
    assert said.err.splitlines()[1] == "hint: start it with: kitchen up"
    assert command("down") == (0, "", "No daemon runs.\n")
    assert not home.socket.exists()


def test_completion_is_silent_without_a_daemon_and_knows_names_with_one(home, stub):
    def completed(*words):
        environ = {
            "_KITCHEN_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["kitchen", *words]),
            "COMP_CWORD": str(len(words)),
        }
        process = kitchen(home, environ=environ)
        out, err = process.communicate(timeout=60)
        assert err == ""
        return out.split()

    recipe = {"name": "sl_basic", "path": "/r", "presets": ["gpu", "paper"]}
    stub.answers |= {"GET /recipes": [recipe], "GET /recipe": recipe, "GET /runs": [run_info()]}
    assert completed("run", "sl") == ["sl_basic"]
    assert completed("run", "sl_basic", "--preset", "") == ["gpu", "paper"]
    assert completed("show", "") == [RUN_ID, "sl_basic"]
    stub.close()
    assert completed("show", "") == []


def test_a_real_run_from_submission_to_lineage(home):
    """Two commands at once start one daemon between them; a third stops it."""

    def result(process: subprocess.Popen[str]) -> str:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out

    running = kitchen(home, "run", "sl_basic", *QUICK, "--wait", "--json")
    result(kitchen(home, "runs", "--json"))
    run = json.loads(result(running))
    assert (run["status"], run["progress"]["step"]) == ("completed", 3)
    graph = json.loads(result(kitchen(home, "lineage", run["id"], "--json")))
    assert f"run:{run['id']}" in [node["id"] for node in graph["nodes"]]
    assert {"from", "to", "role"} == set(graph["edges"][0])
    [final] = [made for made in run["artifacts"] if made["name"] == "final"]
    assert Path(final["path"]).is_dir()
    result(kitchen(home, "down"))
    assert not home.socket.exists()
