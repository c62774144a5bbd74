"""The commands that read: JSON for scripts, tables for people, words where there is nothing."""

import json

import pytest

from kitchen_core.telemetry.schema import EventKind, RunError, RunStatus
from kitchen_daemon.models import ArtifactInfo, Check, Lineage, ProgressInfo
from tests.kitchen_tui.support import RUN_ID, Refusal, event, run_info

SHA = "ab" * 32
FINAL = ArtifactInfo(
    sha256=SHA,
    name="final",
    kind="tree",
    size_bytes=1_084_009,
    path=f"/home/someone/kitchen/artifacts/tree/ab/{SHA}",
    step=2,
    created_at=1013.0,
)
GRAPH = {
    "nodes": [
        {"id": "artifact:cc", "kind": "dataset", "name": "builtin:arithmetic", "sha256": "cc" * 32},
        {"id": f"run:{RUN_ID}", "kind": "run", "name": "sl_basic", "sha256": None},
        {"id": f"artifact:{SHA}", "kind": "artifact", "name": "final", "sha256": SHA},
        {"id": "run:child", "kind": "run", "name": "dpo", "sha256": None},
    ],
    "edges": [
        {"from": "artifact:cc", "to": f"run:{RUN_ID}", "role": "dataset"},
        {"from": f"run:{RUN_ID}", "to": f"artifact:{SHA}", "role": "made"},
        {"from": f"artifact:{SHA}", "to": "run:child", "role": "model"},
    ],
}
SERIES = {"train_mean_nll": [[0, 2.0], [1, None], [2, 1.0]], "test/nll": [[0, 2.5]]}
EVENTS = [
    event(1, EventKind.RUN_CREATED),
    event(2, EventKind.EVAL_COMPLETED, step=0, stage="Evaluate", measurements={"test/nll": 2.5}),
]
RECIPE = {
    "name": "sl_basic",
    "path": "/r/sl_basic.py",
    "description": "Learn",
    "workflow": "supervised",
    "presets": ["gpu"],
    "shipped": True,
    "error": None,
    "revision": None,
    "revised_at": None,
}


@pytest.fixture
def full(stub):
    stub.answers |= {
        "GET /runs": [run_info(artifacts=[FINAL])],
        f"GET /runs/{RUN_ID}": run_info(artifacts=[FINAL]),
        f"GET /runs/{RUN_ID}/events": EVENTS,
        f"GET /runs/{RUN_ID}/metrics": SERIES,
        f"GET /runs/{RUN_ID}/artifacts": [FINAL],
        f"GET /runs/{RUN_ID}/log": ["one", "two"],
        f"GET /lineage/{RUN_ID}": Lineage.model_validate(GRAPH),
        "GET /recipes": [RECIPE],
        "GET /recipe": RECIPE | {"config": {"max_steps": 300, "seed": 0, "learning_rate": 0.001}},
        "GET /doctor": [Check(name="store", ok=True, detail="fine")],
    }
    return stub


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["runs"], [run_info(artifacts=[FINAL]).model_dump(mode="json")]),
        (["show", RUN_ID], run_info(artifacts=[FINAL]).model_dump(mode="json")),
        (["artifacts", RUN_ID], [FINAL.model_dump(mode="json")]),
        (["metrics", RUN_ID], SERIES),
        (["lineage", RUN_ID], GRAPH),
        (["logs", RUN_ID], ["one", "two"]),
        (["recipes"], [RECIPE]),
        (["recipes", "list"], [RECIPE]),
        (["doctor"], [Check(name="store", ok=True, detail="fine").model_dump()]),
    ],
)
def test_json_is_all_that_goes_to_stdout(full, command, words, value):
    said = command(*words, "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == value


def test_events_as_json_are_one_a_line(full, command):
    lines = command("events", RUN_ID, "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [one.model_dump(mode="json") for one in EVENTS]


def test_an_event_says_its_sentences_whole_and_the_rest_as_it_is_written(full, command):
    sentence = "stopping at step 30 of 200: " + "test/nll was best at step 10 (1.2), and " * 4
    columns = {"messages": "list", "ü": "text"}
    loaded = {"source": "x" * 80, "revision": None, "columns": columns, "streamed": True}
    sample = {"kind": "train", "segments": [{"text": "2"}]}
    full.answers[f"GET /runs/{RUN_ID}/events"] = [
        event(1, EventKind.LOG, metadata={"level": "info", "message": sentence}),
        event(2, EventKind.DATASET_LOADED, metadata=loaded),
        event(3, EventKind.SAMPLE_LOGGED, metadata=sample),
    ]
    log, data, row = command("events", RUN_ID).out.splitlines()
    assert log.endswith(f"message={sentence.strip()}")
    assert data.endswith(
        f'source={"x" * 59}… columns={{"messages": "list", "ü": "text"}} streamed=true'
    )
    assert row.endswith("sample.logged     kind=train")


COMMANDS = [
    ["runs"],
    ["show", RUN_ID],
    ["metrics", RUN_ID],
    ["metrics", RUN_ID, "train_mean_nll"],
    ["lineage", RUN_ID],
    ["recipes"],
    ["recipes", "show", "sl_basic"],
]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_line_is_longer_than_the_terminal_is_wide(full, command, monkeypatch, words, width):
    monkeypatch.setenv("COLUMNS", str(width))
    said = command(*words)
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= width


def test_the_table_of_runs_says_where_each_stands(full, command):
    full.answers["GET /runs"] = [
        run_info(
            id="1qnc00000002",
            name="night",
            status=RunStatus.RUNNING,
            progress=ProgressInfo(step=30, total_steps=300, eta_s=184.0),
            metrics={"train_mean_nll": 0.5},
        ),
        run_info(),
    ]
    lines = command("runs").out.splitlines()
    assert lines[1].split() == [
        "1qnc00000002",
        "night",
        "running",
        "30/300",
        "3m",
        "04s",
        "nll",
        "0.5",
    ]
    assert lines[2].split() == f"{RUN_ID} sl_basic completed 2/2 nll 0.25, right 50.0 %".split()


def test_the_limits_of_a_list_reach_the_daemon(full, command):
    command("runs", "--status", "failed", "--recipe", "dpo", "--limit", "7")
    assert full.asked[-1][1] == {"status": ["failed"], "recipe": ["dpo"], "limit": ["7"]}
    said = command("runs", "--status", "done")
    assert (said.code, said.err.splitlines()[0]) == (2, "error: unknown status 'done'")


def test_of_a_list_that_is_too_wide_the_latest_values_are_cut(full, command):
    metrics = {"test/nll": 2.5, "test/exact_match": 0.25, "train_mean_nll": 0.0036812345}
    of_many = run_info(
        name="distillation", metrics=metrics, progress=ProgressInfo(step=300, total_steps=300)
    )
    full.answers["GET /runs"] = [of_many]
    head, line = command("runs").out.splitlines()
    assert line.split()[:4] == [RUN_ID, "distillation", "completed", "300/300"]
    assert len(line.rstrip()) <= 80
    assert line[head.index("latest") :].startswith("nll 0.003681")


def test_show_names_only_the_settings_that_differ(full, command):
    out = command("show", RUN_ID).out
    assert "max_steps  2  (default 300)" in out
    assert "learning_rate" not in out


def test_show_says_what_the_run_has_warned_of(full, command):
    told = {"level": "warning", "message": "131 rows are left out"}
    full.answers[f"GET /runs/{RUN_ID}/events"] = [
        event(1, EventKind.LOG, metadata={"level": "info", "message": "read back"}),
        event(2, EventKind.LOG, metadata=told),
    ]
    out = command("show", RUN_ID).out
    assert "warning: 131 rows are left out" in out
    assert "read back" not in out


def test_the_list_of_commands_cuts_no_description_short(command):
    listed = command("--help").out.partition("Commands:")[2]
    assert "demo" in listed
    assert "..." not in listed


def test_show_does_without_a_recipe_that_has_gone(full, command):
    full.answers["GET /recipe"] = Refusal(404, "unknown recipe 'sl_basic'")
    said = command("show", RUN_ID)
    assert said.code == 0
    assert "learning_rate  0.001" in said.out


def test_metrics_are_a_line_each_unless_named(full, command):
    table = command("metrics", RUN_ID).out.splitlines()
    assert table[1].split() == ["test/nll", "2.5", "2.5", "2.5", "▄"]
    assert table[2].split() == ["train_mean_nll", "1", "1", "2", "█", "▁"]
    assert "┤" in command("metrics", RUN_ID, "train_mean_nll").out


def test_the_path_of_an_artifact_is_on_a_line_of_its_own(full, command):
    assert command("artifacts", RUN_ID).out.splitlines() == [
        f"final  {SHA[:12]}  step 2  1.08 MB",
        f"  {FINAL.path}",
    ]


def test_an_unknown_metric_suggests_the_nearest(full, command):
    said = command("metrics", RUN_ID, "train_mean_nl")
    assert said.code == 2
    assert (
        said.err == "error: unknown metric 'train_mean_nl'\nhint: did you mean 'train_mean_nll'?\n"
    )


def test_lineage_is_a_tree_around_what_was_asked_for(full, command):
    assert [line.rstrip() for line in command("lineage", RUN_ID).out.splitlines()] == [
        f"run sl_basic {RUN_ID}",
        "├── made from",
        "│   └── dataset builtin:arithmetic cccccccccccc",
        "└── went into",
        "    └── artifact final abababababab (made)",
        "        └── run dpo child (model)",
    ]


def test_lineage_of_an_artifact_begins_there(full, command):
    full.answers["GET /lineage/abab"] = Lineage.model_validate(GRAPH)
    assert command("lineage", "abab").out.startswith("artifact final abababababab\n")


def test_where_there_is_nothing_the_command_says_what_to_type(full, command):
    full.answers |= {"GET /runs": [], f"GET /runs/{RUN_ID}/artifacts": []}
    full.answers |= {f"GET /runs/{RUN_ID}/metrics": {}, f"GET /runs/{RUN_ID}/log": []}
    assert command("runs") == (0, "", "No runs yet. Start one: kitchen run sl_basic --watch\n")
    assert command("runs", "--status", "failed").err == "No such runs.\n"
    assert command("metrics", RUN_ID).err == "No metrics yet.\n"
    assert command("artifacts", RUN_ID).err == "This run has made nothing yet.\n"
    assert f"kitchen events {RUN_ID}" in command("logs", RUN_ID).err
    assert command("runs", "--json").out == "[]\n"


def test_words_of_users_and_models_are_never_markup(full, command):
    full.answers["GET /runs"] = [run_info(name="[red]a[/]")]
    assert "[red]a[/]" in command("runs").out


def test_doctor_exits_with_1_where_something_is_missing(full, command):
    full.answers["GET /doctor"] = [
        Check(name="disk", ok=True, detail="plenty"),
        Check(name="manifest prod", ok=False, detail="missing KEY", hint="put it into secrets.env"),
    ]
    said = command("doctor")
    assert said.code == 1
    assert said.out.splitlines() == [
        "✓ disk: plenty",
        "✗ manifest prod: missing KEY",
        "  hint: put it into secrets.env",
    ]


def test_what_is_only_not_set_up_is_no_failure_of_the_doctor(full, command):
    missing = {"ok": False, "detail": "needs KEY", "optional": True}
    full.answers["GET /doctor"] = [Check(name="manifest prod", **missing)]
    said = command("doctor", "--probe")
    assert (said.code, said.out) == (0, "○ manifest prod: needs KEY\n")
    assert full.asked[-1][1] == {"probe": ["true"]}


def test_copying_a_recipe_takes_its_helpers_and_overwrites_nothing(
    full, command, tmp_path, monkeypatch
):
    source = tmp_path / "shelf"
    (source / "lib").mkdir(parents=True)
    (source / "mine.py").write_text("recipe = 1")
    (source / "lib" / "help.py").write_text("x = 1")
    full.answers["GET /recipe"] = RECIPE | {
        "path": str(source / "mine.py"),
        "files": [str(source / "lib/help.py"), str(source / "mine.py")],
    }
    monkeypatch.chdir(tmp_path)
    said = command("recipes", "copy", "mine", "own")
    assert said.code == 0
    assert (tmp_path / "own/lib/help.py").read_text() == "x = 1"
    assert said.err == "run it: kitchen run ./own/mine.py\n"
    again = command("recipes", "copy", "mine", "own")
    assert (again.code, "exists already" in again.err) == (2, True)
    said = command("recipes", "copy", "mine", str(tmp_path / "else"))
    assert said.err == f"run it: kitchen run {tmp_path}/else/mine.py\n"
    said = command("recipes", "copy", "mine", str(full.home.recipes))
    assert said.err == "from now on mine is this one: kitchen run mine\n"


def test_checking_a_broken_recipe_is_refused_with_its_line(full, command, tmp_path):
    file = tmp_path / "broken.py"
    file.touch()
    full.answers["GET /recipe"] = Refusal(422, f"{file}:3: syntax error: invalid syntax")
    said = command("recipes", "check", str(file))
    assert (said.code, said.err) == (2, f"error: {file}:3: syntax error: invalid syntax\n")


def test_a_recipes_settings_say_what_they_can_be(full, command):
    fields = {
        "max_steps": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "learning_rate": {"exclusiveMinimum": 0, "maximum": 1, "description": "Peak"},
        "device": {"enum": ["auto", "cpu"], "description": "Where"},
        "test_fraction": {"minimum": 0, "exclusiveMaximum": 1, "description": "Part"},
        "seed": {"minimum": 0, "maximum": 9, "description": "Chance"},
    }
    recipe = RECIPE | {"config": dict.fromkeys(fields), "config_schema": {"properties": fields}}
    full.answers["GET /recipe"] = recipe
    page = command("recipes", "show", "sl_basic").out
    for words in (
        "(1 or more)",
        "Peak (more than 0, 1 or less)",
        "Where (one of auto, cpu)",
        "Part (0 or more, less than 1)",
        "Chance (0 to 9)",
    ):
        assert words in page


def test_what_a_recipe_sets_itself_comes_before_the_defaults(full, command):
    data = {"default": "builtin:math", "ref": "dataset"}
    fields = {"seed": {"default": 0}, "max_steps": {"default": None}, "dataset": data, "mix": {}}
    config = {"seed": 0, "max_steps": 300, "dataset": "builtin:math", "mix": {}}
    full.answers["GET /recipe"] = RECIPE | {
        "config": config,
        "config_schema": {"properties": fields},
    }
    lines = [
        " ".join(line.split()) for line in command("recipes", "show", "sl_basic").out.splitlines()
    ]
    own = lines.index("Settings that the recipe has of its own")
    assert lines[own + 1 : own + 3] == ["max_steps 300", "dataset builtin:math"]
    others = lines.index("Other settings")
    assert lines[others + 1 : others + 3] == ["seed 0", "mix {}"]


def test_why_a_run_failed_is_said_once(full, command):
    error = RunError(type="RowError", message="a.jsonl row 3: no answer", stage="LoadDataset")
    failed = run_info(status=RunStatus.FAILED, reason=error.message, error=error)
    full.answers[f"GET /runs/{RUN_ID}"] = failed
    page = command("show", RUN_ID).out
    assert page.count("a.jsonl row 3: no answer") == 1
    assert "last lines" not in page
