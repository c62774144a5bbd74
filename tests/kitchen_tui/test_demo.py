"""The demo: five runs queued at once, each watched, and what they have learned in one table."""

import signal
from threading import Event as Signal

import pytest

from kitchen_core.telemetry.schema import EventKind, RunError, RunStatus
from kitchen_daemon.models import Lineage
from kitchen_tui.cli.courses import COURSES
from kitchen_tui.cli.measures import MEASURES
from kitchen_tui.cli.views.family import family_tree
from tests.kitchen_tui.logged import answer, row
from tests.kitchen_tui.support import Refusal, event_item, history, kitchen, run_info
from tests.kitchen_tui.test_reading import FINAL

NAMES = [course.recipe for course in COURSES]
IDS = {name: f"1qnc0000000{number}" for number, name in enumerate(NAMES)}
SERIES = {
    "test/nll": [[0, 13.0], [1, 5.0], [2, 0.5]],
    "test/exact_match": [[0, 0.0], [2, 0.75]],
    "test/exact_match_stderr": [[0, 0.0], [2, 0.125]],
    "time/tokens_per_s": [[0, 1000.0], [1, 3000.0], [2, None]],
}
PAIRS = {
    "test/accuracy": [[0, 0.5], [2, 0.875]],
    "test/accuracy_stderr": [[0, 0.0625], [2, 0.03125]],
    "test/margin": [[0, 0.0], [2, 0.25]],
}
ENV = {
    "test/env/all/correct": [[0, 0.65], [2, 0.9]],
    "test/env/all/correct_stderr": [[0, 0.02], [2, 0.01]],
    "test/env/all/reward/total": [[0, 0.5], [2, 0.875]],
}


def edges(*given):
    return [{"from": source, "to": target, "role": role} for source, target, role in given]


def graph_of(name):
    """What a run's lineage is: its data, what it started from, and what it made."""
    (course,) = (course for course in COURSES if course.recipe == name)
    run, made = f"run:{IDS[name]}", f"artifact:{name}"
    taken = [(f"artifact:{of}", role) for role, of in course.takes.items()] or [("tiny", "model")]
    sources = list(dict.fromkeys(course.takes.values()))
    return Lineage.model_validate(
        {
            "nodes": [
                {"id": "tiny", "kind": "model", "name": "builtin:tiny"},
                {"id": f"data:{name}", "kind": "dataset", "name": f"builtin:{name}"},
                {"id": run, "kind": "run", "name": name},
                *({"id": f"run:{IDS[of]}", "kind": "run", "name": of} for of in sources),
                *({"id": f"artifact:{of}", "kind": "artifact", "name": "final"} for of in sources),
                {"id": made, "kind": "artifact", "name": "final"},
            ],
            "edges": edges(
                (f"data:{name}", run, "dataset"),
                *((source, run, role) for source, role in taken),
                *((f"run:{IDS[of]}", f"artifact:{of}", "made") for of in sources),
                (run, made, "made"),
            ),
        }
    )


@pytest.fixture
def kitchen_of(stub):
    """A daemon in which every run of the demo completes, but for the changes told of some."""

    def prepare(**changes):
        def launched(body):
            return run_info(id=IDS[body["recipe"]], recipe=body["recipe"], status=RunStatus.QUEUED)

        stub.answers["POST /runs"] = launched
        for name in NAMES:
            facts = {"id": IDS[name], "recipe": name, "name": name, "artifacts": [FINAL]}
            run = run_info(**(facts | changes.get(name, {})))
            completed = run.status is RunStatus.COMPLETED
            stub.answers |= {
                f"GET /runs/{IDS[name]}": run,
                f"GET /runs/{IDS[name]}/events": [
                    row(9, 0),
                    answer(1, 0, "7 7 7"),
                    answer(2, 1, "3"),
                    answer(3, 2, "2"),
                ]
                if completed
                else [],
                f"GET /runs/{IDS[name]}/metrics": {
                    "dpo": PAIRS | SERIES,
                    "math_rl": ENV,
                }.get(name, SERIES),
                f"GET /lineage/{IDS[name]}": graph_of(name),
            }
            ends = EventKind.RUN_COMPLETED if completed else EventKind.RUN_FAILED
            stub.streams.append(history(ends=ends))
        return stub

    return prepare


def told(said):
    return [" ".join(line.split()) for line in said.out.splitlines()]


def test_the_recipes_are_queued_at_once_each_from_what_it_takes(kitchen_of, command):
    stub = kitchen_of()
    command("demo")
    launched = [(each["recipe"], each["overrides"]) for each in stub.bodies("POST /runs")]
    from_sl = {"model": f"run:{IDS['sl_basic']}"}
    assert launched == [
        ("sl_basic", {}),
        ("chat_sl", from_sl),
        ("dpo", from_sl),
        ("math_rl", from_sl),
        ("distillation", {**from_sl, "teacher": f"run:{IDS['math_rl']}"}),
    ]
    routes = [route for route, _, _ in stub.asked if "/runs" in route or "stream" in route]
    assert routes[:5] == ["POST /runs"] * 5


def test_one_table_says_what_each_has_learned_and_in_what_time(kitchen_of, command):
    kitchen_of()
    said = command("demo")
    assert said.code == 0
    lines = told(said)
    at = lines.index("recipe measure before after steps time tok/s")
    assert lines[at + 1 : at + 12] == [
        "sl_basic right, sampled 0.0 ± 0.0 % 75.0 ± 12.5 % 2 12s 2.0k",
        "held-out nll 13 0.5",
        "chat_sl right, sampled 0.0 ± 0.0 % 75.0 ± 12.5 % 2 12s 2.0k",
        "held-out nll 13 0.5",
        "dpo pairs in order 50.0 ± 6.2 % 87.5 ± 3.1 % 2 12s 2.0k",
        "margin 0 +0.25",
        "right, sampled 0.0 ± 0.0 % 75.0 ± 12.5 %",
        "math_rl right, sampled 65.0 ± 2.0 % 90.0 ± 1.0 % 2 12s",
        "reward 0.5 0.875",
        "distillation right, sampled 0.0 ± 0.0 % 75.0 ± 12.5 % 2 12s 2.0k",
        "held-out nll 13 0.5",
    ]
    assert lines[at + 12] == "(by math_rl) 90.0 ± 1.0 %"


def test_the_first_and_the_last_answer_to_a_question_stand_beside_one_another(kitchen_of, command):
    kitchen_of()
    lines = told(command("demo"))
    at = lines.index("question step 0 step 2 right answer")
    assert lines[at - 1] == "sl_basic"
    assert lines[at + 1] == "1+1? ✗ 7 7 7 ✓ 2 2"


def test_answers_that_changed_come_first(kitchen_of, command):
    stub = kitchen_of()
    same = {"index": 1, "question": "2+2?"}
    stub.answers[f"GET /runs/{IDS['sl_basic']}/events"] = [
        answer(1, 0, "4", **same),
        answer(2, 0, "3"),
        answer(3, 2, "4", **same),
        answer(4, 2, "2"),
    ]
    lines = told(command("demo"))
    at = lines.index("question step 0 step 2 right answer")
    assert [line[:4] for line in lines[at + 1 : at + 3]] == ["1+1?", "2+2?"]


@pytest.mark.parametrize("width", [50, 60, 79, 80, 160])
def test_no_line_of_the_summary_is_wider_than_the_screen(kitchen_of, command, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    kitchen_of()
    out = command("demo").out
    page = out[out.index("What was learned") : out.index("What to try next")].splitlines()
    assert max(len(line) for line in page if FINAL.path not in line) <= width
    assert "2.0k" in out


def test_where_one_fails_the_others_are_shown_and_the_code_is_1(kitchen_of, command):
    error = RunError(type="RowError", message="a.jsonl row 3: no answer")
    held = f"waits for {IDS['math_rl']}, which failed"
    stub = kitchen_of(
        math_rl={"status": RunStatus.FAILED, "error": error, "artifacts": []},
        distillation={"status": RunStatus.HELD, "reason": held, "artifacts": []},
    )
    stub.streams[-1] = [event_item(1, EventKind.RUN_HELD, metadata={"lost": [IDS["math_rl"]]})]
    said = command("demo")
    assert said.code == 1
    assert said.err.splitlines()[-1] == (
        "Not all recipes came to their end: math_rl failed, distillation held"
    )
    assert "a.jsonl row 3: no answer" in said.err
    assert held in said.err
    lines = told(said)
    assert "math_rl failed 2 12s" in lines
    assert "distillation held 2 12s 2.0k" in lines
    assert f"kitchen samples {IDS['dpo']}" in lines


def test_ctrl_c_leaves_all_runs_going(kitchen_of):
    stub = kitchen_of()
    hold = Signal()
    stub.answers[f"GET /runs/{IDS['sl_basic']}"] = run_info(
        id=IDS["sl_basic"], status=RunStatus.RUNNING
    )
    stub.streams[:] = [[*history()[:4], hold]]
    process = kitchen(stub.home, "demo")
    assert process.stdout
    while process.stdout.readline() != "queued\n":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    hold.set()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "So do the demo's other runs: kitchen runs"
    assert not [asked for asked, _, _ in stub.asked if asked.endswith("/cancel")]


def test_a_recipe_that_is_refused_takes_those_queued_before_it_back(kitchen_of, command):
    stub = kitchen_of()
    launched = stub.answers["POST /runs"]

    def refusing(body):
        if body["recipe"] == "dpo":
            raise Refusal(422, "the recipe dpo is broken")
        return launched(body)

    stub.answers["POST /runs"] = refusing
    for name in NAMES:
        stub.answers[f"POST /runs/{IDS[name]}/cancel"] = run_info(id=IDS[name])
    said = command("demo")
    assert (said.code, said.err) == (2, "error: the recipe dpo is broken\n")
    cancelled = [asked for asked, _, _ in stub.asked if asked.endswith("/cancel")]
    assert cancelled == [f"POST /runs/{IDS[name]}/cancel" for name in ("sl_basic", "chat_sl")]


def test_the_lineage_of_all_runs_is_one_tree(command, kitchen_of):
    kitchen_of()
    out = command("demo").out
    tree = out[out.index("Lineage") :].split("\n\n")[0].splitlines()[1:]
    assert [line.rstrip() for line in tree] == [
        "model builtin:tiny tiny",
        f"└── run sl_basic {IDS['sl_basic']} (model) on builtin:sl_basic",
        f"    ├── run chat_sl {IDS['chat_sl']} (model) on builtin:chat_sl",
        f"    ├── run dpo {IDS['dpo']} (model) on builtin:dpo",
        f"    ├── run math_rl {IDS['math_rl']} (model) on builtin:math_rl",
        f"    │   └── run distillation {IDS['distillation']} (teacher) on builtin:distillation",
        f"    └── run distillation {IDS['distillation']} (model) (see above)",
    ]


def test_runs_that_began_with_several_models_have_a_tree_each():
    graph = Lineage.model_validate(
        {
            "nodes": [
                {"id": "m1", "kind": "model", "name": "one"},
                {"id": "m2", "kind": "model", "name": "two"},
                {"id": "run:a", "kind": "run", "name": "a"},
                {"id": "run:b", "kind": "run", "name": "b"},
            ],
            "edges": edges(("m1", "run:a", "model"), ("m2", "run:b", "model")),
        }
    )
    tree = family_tree([graph], ["a", "b"])
    assert [str(child.label) for child in tree.children] == ["model one m1", "model two m2"]


def test_a_course_takes_from_those_before_it_and_is_measured_by_known_measures():
    known = {measure.name for measure in MEASURES}
    for number, course in enumerate(COURSES):
        assert set(course.takes.values()) <= set(NAMES[:number])
        assert set(course.measures) <= known
        assert course.beside in (None, *course.takes.values())
