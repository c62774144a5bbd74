"""`kitchen queue`: how it looks, and what it asks."""

import json

import pytest
from rich.console import Group

from kitchen_core.needs import Placement
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import DaemonStatus, GroupInfo, ProgressInfo, QuoteInfo
from kitchen_tui.cli import completion
from kitchen_tui.cli.views.queue import placement_words, queue_page
from kitchen_tui.cli.views.queueing import quote_and_actual
from kitchen_tui.cli.views.runs import runs_table
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
    queued.answers["GET /queue"] = queue(groups=[NIGHT])
    assert "kitchen run sl_basic --group night --watch" in command("queue", "--group", "night").err


def test_a_group_that_nobody_has_named_is_a_slip(queued, command):
    queued.answers["GET /queue"] = queue(groups=[*queue().groups, NIGHT])
    said = command("queue", "--group", "nigth", "--json")
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: there is no group 'nigth'\nhint: there are: main, night\n"


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
    said = command("queue", "hold", OTHER_ID, RUN_ID)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"error: run {OTHER_ID} runs (nothing was changed)\n"


def test_a_run_that_is_named_twice_is_asked_once(queued, command):
    assert command("cancel", RUN_ID, RUN_ID).out.count("\n") == 1
    assert asked_of_runs(queued) == [f"POST /runs/{RUN_ID}/cancel"]


def test_several_answers_are_an_object_a_line(queued, command):
    lines = command("queue", "hold", RUN_ID, OTHER_ID, "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [RUN_ID, OTHER_ID]


def test_a_pause_says_what_becomes_of_what_runs(queued, command):
    said = command("queue", "pause")
    assert said.out == "the queue is paused\n"
    assert f"these save themselves: {queue(1).running[0].name} 1qnc00000000" in said.err
    said = command("queue", "pause", "--group", "night", "--let-finish")
    assert said.out == "group night is paused\n"
    assert "these go on to their end: " in said.err
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


HELD = {
    "status": RunStatus.HELD,
    "started_at": None,
    "finished_at": None,
    "metrics": {},
    "progress": ProgressInfo(),
    "reason": "after dpo (1qnc00000009), which runs",
}


def test_a_list_of_runs_says_why_those_that_wait_do():
    runs = [run_info(**HELD), run_info()]
    lines = drawn(runs_table(runs, 100), 100)
    assert "latest, or why it waits" in lines[0]
    assert HELD["reason"] in lines[1]
    assert "nll 0.25" in lines[2]
    assert "latest, or" not in drawn(runs_table([run_info()], 100), 100)[0]
    for width in (50, 60, 80):
        lines = drawn(runs_table(runs, width), width)
        assert max(map(len, lines)) <= width
        assert lines[1].startswith(RUN_ID)
        assert "held" in lines[1]
        assert "after d" in lines[1]


def test_one_run_shows_what_it_asks_of_the_queue(stub, command):
    stub.answers[f"GET /runs/{RUN_ID}"] = run_info(
        **HELD,
        after_any=["1qnc00000009"],
        priority=10,
        queue_group="night",
        window="dark",
        not_before=0.0,
        preempts=True,
        max_retries=3,
        retries=1,
        placement=Placement(slots=2),
    )
    stub.answers[f"GET /runs/{RUN_ID}/events"] = []
    lines = [line.split() for line in command("show", RUN_ID).out.splitlines()]
    told = {tuple(line) for line in lines}
    assert tuple(HELD["reason"].split()) in told
    for line in (
        "after, in any case 1qnc00000009",
        "priority 10",
        "group night",
        "window dark",
        "preempts runs of lower priority",
        "retries 1 of 3",
    ):
        assert tuple(line.split()) in told
    assert ("on", "2", "CPU", "slots") not in told  # that was its place, before it was held
    assert any(line[:2] == ["not", "before"] for line in lines)


def test_a_quote_stands_beside_what_it_took():
    quote = QuoteInfo(
        memory_bytes=10 * 10**9,
        seconds=100.0,
        seconds_a_step=0.2,
        steps=500,
        energy_j=7.2e6,
        basis="measured",
        peak_memory_bytes=11 * 10**9,
        busy_seconds=90.0,
        measured_seconds_a_step=0.18,
        used_energy_j=None,
    )
    rows = [line.split("  ") for line in drawn(Group(*quote_and_actual(quote, ended=True)), 80)]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[3:] == [
        ["memory", "10 GB", "11 GB", "+10 %"],
        ["a step", "200 ms", "180 ms", "-10 %"],
        ["time", "1m 40s", "1m 30s", "-10 %"],
        ["energy", "2 kWh", "–"],
    ]
    under_way = drawn(Group(*quote_and_actual(quote, ended=False)), 80)
    assert under_way[5].endswith("1m 30s  so far")


def test_status_names_what_runs_and_the_first_that_waits(queued, command):
    first = [f"1qnd{i:08d}" for i in range(20)]
    queued.answers["GET /status"] = DaemonStatus(
        version="1",
        pid=1,
        home="/h",
        socket="/s",
        started_at=1.0,
        standby_ready=True,
        running=[RUN_ID],
        queued=first,
        queued_count=10_000,
        schema_version="1",
    )
    out = " ".join(command("status").out.split())
    assert f"running {queue(1).running[0].name} 1qnc00000000 waiting 30 first dpo" in out
    assert "dpo 1qnd00000001: needs 9.4 GB of a GPU, 3.1 GB free" in out
    assert "paused" not in out
    queued.answers["GET /queue"] = queue(0, 0, is_paused=True)
    out = " ".join(command("status").out.split())
    assert "queue paused; go on with: kitchen queue resume running nothing waiting nothing" in out
    queued.answers["GET /queue"] = Refusal(404, "not found")  # a daemon of another version
    assert f"{first[4]} and 9,995 more" in " ".join(command("status").out.split())


def test_completion_knows_waiting_runs_and_groups(queued):
    assert "1qnd00000003" in completion.waiting("1qnd")
    assert completion.waiting("dp") == ["dpo"]
    assert completion.groups("") == ["main"]
    queued.answers["GET /windows"] = Refusal(500, "broken")
    assert completion.windows("") == []


@pytest.fixture
def kept_in_order(home, command):
    """A real daemon whose queue is paused, with three runs that wait."""
    assert command("queue", "pause").code == 0
    runs = [command("run", "sl_basic", "--name", name, "--json") for name in ("a", "b", "c")]
    yield [json.loads(run.out)["id"] for run in runs]
    command("down")


def test_a_real_queue_is_put_into_another_order(kept_in_order, command):
    a, b, c = kept_in_order

    def told(*words):
        return json.loads(command("queue", *words, "--json").out)

    assert [run["id"] for run in told()["waiting"]] == [a, b, c]
    assert {run["code"] for run in told()["waiting"]} == {"queue_paused"}
    assert command("queue", "move", "b", "c", "--first").code == 0
    assert [run["name"] for run in told()["waiting"]] == ["b", "c", "a"]
    assert command("queue", "hold", "b").code == 0
    assert command("queue", "priority", "a", "10").code == 0
    assert command("queue", "group", "c", "night").code == 0
    assert command("queue", "limit", "night", "2").code == 0
    waiting = told()["waiting"]
    assert [(run["name"], run["priority"], run["group"]) for run in waiting] == [
        ("a", 10, "main"),
        ("b", 0, "main"),
        ("c", 0, "night"),
    ]
    assert waiting[1]["code"] == "held"
    assert [run["id"] for run in told("--group", "night")["waiting"]] == [c]
    groups = [line.split() for line in command("queue", "groups").out.splitlines()]
    assert ["night", "0", "2", "1"] in groups
    page = command("top", "--once").out
    assert "0 running, 3 waiting" in page
    assert "CPU" in page
    assert command("queue", "release", "b").out.startswith(f"{b}  queued")
    said = command("cancel", "a", "nobody")
    assert (said.code, len(told()["waiting"])) == (2, 3)
    assert command("cancel", "a", "b", "c").out.count("cancelled") == 3
    assert command("queue").err.startswith("Nothing runs, and nothing waits.")
