"""`kitchen queue`: how it looks, and what it asks."""

import json

import pytest

from kitchen_core.needs import Placement
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import GroupInfo
from kitchen_tui.cli.views.queue import placement_words, queue_page
from tests.kitchen_tui.queued import drawn, queue, running, waiting
from tests.kitchen_tui.support import RUN_ID, Refusal, run_info

OTHER_ID = "1qnc00000002"
NIGHT = GroupInfo(name="night", most_running=2, is_paused=True, running=0, waiting=3)


@pytest.fixture
def queued(stub):
    """A daemon with two runs that wait."""
    for run_id in (RUN_ID, OTHER_ID):
        run = run_info(id=run_id, status=RunStatus.QUEUED, priority=7, queue_group="night")
        for asked in ("", "/hold", "/release", "/move", "/cancel"):
            verb = "POST" if asked else "GET"
            stub.answers[f"{verb} /runs/{run_id}{asked}"] = run
        stub.answers[f"PATCH /runs/{run_id}/queue"] = run
    stub.answers["GET /queue"] = queue(1, 30)
    for change in ("POST /queue/pause", "POST /queue/resume", "PUT /queue/groups"):
        stub.answers[change] = queue(1, 30)
    return stub


def asked_of_runs(stub):
    """What was asked of which run, in order."""
    return [route for route, _, _ in stub.asked if not route.startswith("GET")]


def test_what_runs_and_what_waits_are_shown_with_the_reasons(queued, command):
    said = command("queue")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "Running (1)"
    assert "120/500  2m 04s  4 CPU slots" in lines[2]
    assert lines[4] == "Waiting (30)"
    assert lines[5:7] == [
        "1  1qnd00000001  dpo",
        "   needs 9.4 GB of a GPU, 3.1 GB free: pid 812 uses 14 GB",
    ]
    assert said.out.endswith("10 more wait: kitchen queue --limit 0\n")


def test_a_wide_queue_has_a_line_a_run_with_what_is_asked_of_it():
    waits = [
        waiting(1, priority=10, seconds=75.0),
        waiting(2, group="night", name="math_rl", reason="opens at 22:00"),
    ]
    lines = drawn(queue_page(queue(0, 2, waiting=waits), 120), 120)
    assert lines[1].split() == ["run", "name", "priority", "group", "takes", "waits"]
    assert lines[2].split()[:5] == ["1", "1qnd00000001", "dpo", "10", "1m"]
    assert lines[3].split(maxsplit=4) == ["2", "1qnd00000002", "math_rl", "night", "opens at 22:00"]


def test_what_nobody_asks_for_takes_no_column():
    lines = drawn(queue_page(queue(0, 1), 120), 120)
    assert lines[1].split() == ["run", "name", "waits"]


@pytest.mark.parametrize("width", [60, 80, 110, 160])
@pytest.mark.parametrize(("runs", "waits"), [(0, 1), (3, 0), (1, 30), (3, 10_000)])
def test_at_every_width_ids_and_reasons_are_whole(width, runs, waits):
    shown = queue(
        runs, waits, running=[running(i, leaving="making way for it") for i in range(runs)]
    )
    lines = drawn(queue_page(shown, width), width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for run in (*shown.running, *shown.waiting):
        assert run.id in text
    if width < 110:  # below, reasons share their lines with the columns' other cells
        assert all(run.reason in text for run in shown.waiting)
    assert (f"{waits - 20:,} more wait: kitchen queue --limit 0" in text) is (waits > 20)


def test_limit_and_group_are_asked_for(queued, command):
    command("queue", "--group", "night", "--limit", "3")
    command("queue", "--limit", "0")
    (_, first, _), (_, second, _) = queued.asked
    assert first == {"group": ["night"], "limit": ["3"]}
    assert int(second["limit"][0]) >= 10_000_000


def test_json_is_the_queue_as_it_is(queued, command):
    said = command("queue", "--json")
    assert json.loads(said.out) == queue(1, 30).model_dump(mode="json")


def test_an_empty_queue_says_what_to_do(queued, command):
    queued.answers["GET /queue"] = queue()
    said = command("queue")
    assert (said.code, said.out) == (0, "")
    assert said.err == (
        "Nothing runs, and nothing waits. Start a run: kitchen run sl_basic --watch\n"
    )
    assert "kitchen run sl_basic --group night --watch" in command("queue", "--group", "night").err


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"is_paused": True}, "The queue is paused. Go on with: kitchen queue resume"),
        (
            {"groups": [NIGHT]},
            "Group night is paused. Go on with: kitchen queue resume --group night",
        ),
    ],
)
def test_a_pause_is_said_with_what_ends_it(queued, command, change, line):
    queued.answers["GET /queue"] = queue(0, 1, **change)
    assert command("queue").out.splitlines()[0] == line


@pytest.mark.parametrize(
    ("words", "route", "body", "out"),
    [
        (["hold", RUN_ID], "POST /runs/{}/hold", None, "held"),
        (["release", RUN_ID], "POST /runs/{}/release", None, "queued"),
        (["move", RUN_ID, "--first"], "POST /runs/{}/move", ("first", None), "moved"),
        (["move", RUN_ID, "--before", "x"], "POST /runs/{}/move", ("before", "x"), "moved"),
        (["priority", RUN_ID, "7"], "PATCH /runs/{}/queue", (7, None), "priority 7"),
        (["priority", RUN_ID, "-5"], "PATCH /runs/{}/queue", (-5, None), "priority 7"),
        (["group", RUN_ID, "night"], "PATCH /runs/{}/queue", (None, "night"), "in group night"),
    ],
)
def test_a_waiting_run_is_asked_as_the_words_say(queued, command, words, route, body, out):
    said = command("queue", *words)
    assert (said.code, said.out) == (0, f"{RUN_ID}  {out}\n")
    [posted] = queued.bodies(route.format(RUN_ID))
    assert (posted if body is None else tuple(posted.values())) == body


def test_several_runs_are_moved_in_the_order_in_which_they_are_named(queued, command):
    command("queue", "move", RUN_ID, OTHER_ID, "--first")
    assert asked_of_runs(queued) == [f"POST /runs/{OTHER_ID}/move", f"POST /runs/{RUN_ID}/move"]
    queued.asked.clear()
    command("queue", "move", RUN_ID, OTHER_ID, "--last")
    assert asked_of_runs(queued) == [f"POST /runs/{RUN_ID}/move", f"POST /runs/{OTHER_ID}/move"]


@pytest.mark.parametrize("places", [[], ["--first", "--last"], ["--before", "a", "--after", "b"]])
def test_a_move_goes_to_one_place(queued, command, places):
    said = command("queue", "move", RUN_ID, *places)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: a run goes to one place\nhint: give one of --first")
    assert queued.asked == []


@pytest.mark.parametrize("words", [["queue", "hold"], ["queue", "release"], ["cancel"]])
def test_one_bad_name_among_several_changes_nothing(queued, command, words):
    queued.answers["GET /runs/nobody"] = Refusal(404, "there is no run 'nobody'", "look")
    said = command(*words, RUN_ID, "nobody")
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: there is no run 'nobody' (nothing was changed)\nhint: look\n"
    assert asked_of_runs(queued) == []


def test_where_one_of_several_refuses_those_before_it_are_named(queued, command):
    queued.answers[f"POST /runs/{OTHER_ID}/hold"] = Refusal(409, f"run {OTHER_ID} runs")
    said = command("queue", "hold", RUN_ID, OTHER_ID)
    assert (said.code, said.out) == (2, f"{RUN_ID}  held\n")
    assert said.err == f"error: run {OTHER_ID} runs (done before it: {RUN_ID})\n"


def test_a_run_that_is_named_twice_is_asked_once(queued, command):
    assert command("cancel", RUN_ID, RUN_ID).out.count("\n") == 1
    assert asked_of_runs(queued) == [f"POST /runs/{RUN_ID}/cancel"]


def test_several_answers_are_an_object_a_line(queued, command):
    lines = command("queue", "hold", RUN_ID, OTHER_ID, "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [RUN_ID, OTHER_ID]


def test_a_pause_says_what_becomes_of_what_runs(queued, command):
    said = command("queue", "pause")
    assert said.out == "the queue is paused\n"
    assert "these save themselves: 1qnc00000000" in said.err
    said = command("queue", "pause", "--group", "night", "--let-finish")
    assert said.out == "group night is paused\n"
    assert "these go on to their end: 1qnc00000000" in said.err
    assert "kitchen queue resume --group night" in said.err
    assert queued.bodies("POST /queue/pause") == [
        {"group": None, "let_finish": False},
        {"group": "night", "let_finish": True},
    ]


def test_a_resume_of_one_group_names_it(queued, command):
    assert command("queue", "resume", "--group", "night").out == "group night goes on\n"
    assert queued.asked[-1][1] == {"group": ["night"]}


@pytest.mark.parametrize(
    ("most", "sent", "out"),
    [("2", 2, "2 at a time"), ("none", None, "as many runs as fit")],
)
def test_a_group_gets_a_limit_and_loses_it(queued, command, most, sent, out):
    assert command("queue", "limit", "night", most).out == f"group night: {out}\n"
    [body] = queued.bodies("PUT /queue/groups")
    assert body == {"name": "night", "most_running": sent}


@pytest.mark.parametrize("most", ["0", "-1", "many", "1.5"])
def test_a_limit_that_is_no_number_of_runs_is_refused_here(queued, command, most):
    said = command("queue", "limit", "--", "night", most)
    assert (said.code, queued.asked) == (2, [])
    assert said.err.startswith(f"error: '{most}' is no number of runs")


def test_groups_are_listed_with_their_limits(queued, command):
    queued.answers["GET /queue"] = queue(groups=[*queue(2, 4).groups, NIGHT])
    lines = command("queue", "groups").out.splitlines()
    assert lines[1].split() == ["main", "2", "as", "many", "as", "fit", "4"]
    assert lines[2].split() == ["night", "0", "2", "3", "paused"]
    assert json.loads(command("queue", "groups", "--json").out)[1] == NIGHT.model_dump()


def test_a_place_in_words():
    assert placement_words(Placement(slots=1)) == "1 CPU slot"
    two = Placement(gpus=("GPU-a", "GPU-b"))
    assert placement_words(two) == "2 GPUs"
    assert placement_words(two, {"GPU-a": 0, "GPU-b": 3}) == "GPU 0, 3"
    shared = Placement(gpus=("GPU-a",), memory_bytes=12 * 10**9, shares=True)
    assert placement_words(shared, {"GPU-a": 1}) == "12 GB of GPU 1"
