"""Staying with a run: through its history, restarts of the daemon, and Ctrl-C."""

import signal
from threading import Event as Signal

import pytest

from kitchen_core.telemetry.schema import EventKind, PausedFor, RunStatus
from kitchen_daemon.models import DaemonStatus, WaitCode
from kitchen_tui.cli import watching
from kitchen_tui.cli.output import emit
from tests.kitchen_tui.support import (
    RUN_ID,
    Cut,
    event,
    event_item,
    history,
    kitchen,
    metrics_item,
    run_info,
)

STATUS = DaemonStatus(
    version="1",
    pid=1,
    home="/h",
    socket="/s",
    started_at=1.0,
    standby_ready=True,
    running=[RUN_ID],
    queued=[],
    schema_version="1",
)


@pytest.fixture
def watched(stub):
    stub.answers[f"GET /runs/{RUN_ID}"] = run_info()
    stub.answers[f"GET /runs/{RUN_ID}/events"] = []
    stub.answers["GET /status"] = STATUS
    stub.streams = [history()]
    return stub


def test_without_a_terminal_watching_is_plain_lines(watched, command):
    said = command("watch", RUN_ID)
    assert said.code == 0
    assert said.out.splitlines() == [
        "queued",
        "running",
        "evaluated  step 0  right 25.0 ± 12.5 %  nll 2.5",
        "completed  step 2/2  train_mean_nll 2",
        f"{RUN_ID}  completed after 12s",
    ]


def test_what_a_run_logs_is_told_whole(watched, command):
    long = "stopping at step 2 of 8: " + "test/nll was best at step 1 (2), and so on " * 3
    told = [("info", long), ("warning", "2 rows were left out")]
    items = history()
    items[5:5] = [
        event_item(20 + i, EventKind.LOG, metadata={"level": level, "message": message})
        for i, (level, message) in enumerate(told)
    ]
    watched.streams = [items]
    lines = command("watch", RUN_ID).out.splitlines()
    assert lines[3:5] == [long, "warning: 2 rows were left out"]


def test_a_completed_run_says_how_it_came_to_its_end(watched, command):
    watched.answers[f"GET /runs/{RUN_ID}"] = run_info(reason="stopping at step 2 of 8")
    assert command("watch", RUN_ID).err == "stopping at step 2 of 8\n"


def test_beside_json_the_lines_go_to_stderr(watched, command):
    said = command("watch", RUN_ID, "--json")
    assert said.out.startswith('{"id":')
    assert said.out.count("\n") == 1
    assert "evaluated" in said.err


def test_a_broken_stream_goes_on_after_its_last_item(watched, command):
    items = history()
    watched.streams = [[*items[:4], Cut()], [*items[4:]]]
    said = command("watch", RUN_ID)
    assert said.code == 0
    assert watched.cursors == [None, "104.0"]
    assert said.out.count("evaluated") == 1


def test_while_the_daemon_is_away_the_watcher_says_so_and_waits(watched, command):
    answers = iter([Cut(), Cut(), STATUS])

    def status(_):
        answer = next(answers)
        if isinstance(answer, Cut):
            raise answer
        return answer

    watched.answers["GET /status"] = status
    items = history()
    watched.streams = [[*items[:3], Cut()], [*items[3:]]]
    lines = command("watch", RUN_ID).out.splitlines()
    assert lines[2:4] == ["reconnecting…", "the daemon is back"]


def test_an_ending_in_the_history_is_not_the_end(watched, command):
    failed_once = [
        event_item(1, EventKind.RUN_FAILED),
        event_item(2, EventKind.RUN_QUEUED, attempt=2),
        event_item(3, EventKind.RUN_RESUMED, attempt=2, step=50),
        event_item(4, EventKind.RUN_COMPLETED, attempt=2),
    ]
    events = [item.event for item in failed_once]
    later = iter([events[1:], []])
    watched.answers[f"GET /runs/{RUN_ID}/events"] = lambda _: next(later)
    watched.streams = [failed_once]
    said = command("watch", RUN_ID)
    assert said.code == 0
    assert said.out.splitlines()[:2] == ["queued", "resumed at step 50"]


def test_answers_may_hold_any_line_separator(watched, command):
    told = {"question": "a\u2028b", "completion": "\x85\u2029\x1c", "expected": "", "index": 0}
    item = event_item(1, EventKind.SAMPLE_LOGGED, step=0, metadata=told)
    watched.streams = [[item, event_item(2, EventKind.RUN_COMPLETED)]]
    assert command("watch", RUN_ID).code == 0


def test_following_events_prints_each_once_and_those_after_the_end(watched, command):
    last = event(7, EventKind.LOG, metadata={"message": "bye"})
    watched.answers[f"GET /runs/{RUN_ID}/events"] = [last]
    items = history()
    watched.streams = [[*items[:2], Cut()], [*items[2:]]]
    said = command("events", RUN_ID, "--follow", "--json")
    sequence = [int(line.split('"seq":')[1].split(",")[0]) for line in said.out.splitlines()]
    assert sequence == [1, 2, 3, 4, 5, 6, 7]


def test_ctrl_c_leaves_the_run_going(watched):
    hold = Signal()
    watched.answers[f"GET /runs/{RUN_ID}"] = run_info(status=RunStatus.RUNNING)
    watched.streams = [[*history()[:4], hold]]
    process = kitchen(watched.home, "watch", RUN_ID)
    assert process.stdout
    assert process.stdout.readline() == "queued\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    hold.set()
    assert process.returncode == 130
    assert f"kitchen watch {RUN_ID}" in err
    assert f"kitchen cancel {RUN_ID}" in err
    assert "Traceback" not in err
    assert not [asked for asked, _, _ in watched.asked if asked.startswith("POST")]


def test_progress_lines_come_once_a_second_at_most(watched, command):
    steps = [metrics_item(step, train_mean_nll=1.0) for step in range(500)]
    watched.streams = [[*steps, event_item(1, EventKind.RUN_COMPLETED)]]
    lines = command("watch", RUN_ID).out.splitlines()
    assert sum("train_mean_nll" in line for line in lines) <= 3


def test_a_pause_that_ends_by_itself_is_watched_through(watched, command):
    paused = event_item(4, EventKind.RUN_PAUSED, metadata={"reason": "window night is closed"})
    set_aside = run_info(status=RunStatus.PAUSED, paused_for=PausedFor.WINDOW)
    runs = iter([set_aside, set_aside, set_aside])
    watched.answers[f"GET /runs/{RUN_ID}"] = lambda _: next(runs, run_info())
    watched.streams = [[*history()[:3], paused, *history()[3:]]]
    said = command("watch", RUN_ID)
    assert said.code == 0
    assert said.out.splitlines()[1:3] == ["running", "paused"]
    assert said.out.endswith("completed after 12s\n")


def test_an_interruption_with_a_retry_left_is_watched_through(watched, command):
    interrupted = event_item(4, EventKind.RUN_INTERRUPTED)
    run = run_info(status=RunStatus.INTERRUPTED, max_retries=1)
    queued = run_info(status=RunStatus.QUEUED, max_retries=1, retries=1)
    runs = iter([run, run, run, queued])  # the daemon queues it a moment later
    watched.answers[f"GET /runs/{RUN_ID}"] = lambda _: next(runs, run_info())
    watched.streams = [[*history()[:3], interrupted, *history()[3:]]]
    said = command("watch", RUN_ID)
    assert (said.code, said.out.splitlines()[2]) == (0, "interrupted")


def test_why_a_run_waits_is_said_whenever_it_changes(watched, command, monkeypatch):
    monkeypatch.setattr(watching, "WAIT_SECONDS", 0.01)
    lines, hold = [], Signal()

    def emitted(line):
        lines.append(line)
        emit(line)

    def answer(_):
        if "queued" not in lines:
            return run_info(status=RunStatus.QUEUED)
        if "waits: opens at 22:00" in lines:
            hold.set()
            return run_info()
        is_told = "waits: all GPUs are taken" in lines
        reason = "opens at 22:00" if is_told else "all GPUs are taken"
        return run_info(status=RunStatus.QUEUED, code=WaitCode.DEVICE, reason=reason)

    monkeypatch.setattr(watching, "emit", emitted)
    watched.answers[f"GET /runs/{RUN_ID}"] = answer
    watched.streams = [[*history()[:2], hold, *history()[2:]]]
    said = command("watch", RUN_ID)
    assert said.out.splitlines()[:4] == [
        "queued",
        "waits: all GPUs are taken",
        "waits: opens at 22:00",
        "running",
    ]
