"""`kitchen run` and what it queues."""

import json

import pytest

from kitchen_core.telemetry.schema import EventKind, RunError, RunStatus
from kitchen_daemon.models import Launch, Plan, ProgressInfo
from tests.kitchen_tui.support import RUN_ID, Refusal, event_item, history, run_info

QUEUED = {"status": RunStatus.QUEUED, "started_at": None, "finished_at": None, "metrics": {}}
SCHEMA = {
    "properties": {
        "dataset": {"ref": "dataset"},
        "teacher": {"ref": "model"},
        "model": {"ref": "model"},
        "mix": {"ref": "dataset"},
        "fields": {},
        "prefix": {},
    }
}


@pytest.fixture
def kitchen_stub(stub):
    stub.answers["POST /runs"] = run_info(**QUEUED)
    stub.answers["GET /recipe"] = {
        "name": "sl_basic",
        "path": "/r/sl_basic.py",
        "config_schema": SCHEMA,
    }
    stub.answers[f"GET /runs/{RUN_ID}"] = run_info()
    stub.answers[f"GET /runs/{RUN_ID}/events"] = []
    stub.streams = [history()]
    return stub


def test_a_run_is_queued_as_the_words_say(kitchen_stub, command):
    said = command(
        *(
            "run",
            "sl_basic",
            "max_steps=50",
            "lr_schedule=cosine",
            "--preset",
            "gpu",
            "--name",
            "n",
        ),
        *("--after", "a", "--after", "b", "--priority", "3", "--adapter", "hub=memory"),
        *("--after-any", "c", "--window", "night", "--hold", "--group", "g", "--preempt"),
        *("--retries", "2", "--gpus", "1", "--memory", "50%", "--at", "in 2h"),
        *("--revision", "good", "--manifest", "test"),
    )
    assert (said.code, said.out) == (0, f"{RUN_ID}  queued  sl_basic\n")
    assert f"kitchen watch {RUN_ID}" in said.err
    assert kitchen_stub.bodies("POST /runs") == [
        {
            "recipe": "sl_basic",
            "preset": "gpu",
            "overrides": {"max_steps": "50", "lr_schedule": "cosine"},
            "manifest": "test",
            "adapters": {"hub": "memory"},
            "name": "n",
            "after": ["a", "b"],
            "after_any": ["c"],
            "priority": 3,
            "group": "g",
            "at": "in 2h",
            "window": "night",
            "hold": True,
            "preempt": True,
            "retries": 2,
            "gpus": 1,
            "memory": "50%",
            "revision": "good",
        }
    ]


def test_what_is_not_asked_of_the_queue_is_left_to_it(kitchen_stub, command):
    command("run", "sl_basic")
    assert kitchen_stub.bodies("POST /runs") == [Launch(recipe="sl_basic").model_dump()]


def test_refs_to_local_files_become_absolute(kitchen_stub, command, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = {"dataset": "./a.jsonl", "model": "~/m", "teacher": "file:t", "prefix": "/think"}
    command("run", "sl_basic", *(f"{key}={value}" for key, value in settings.items()))
    [body] = kitchen_stub.bodies("POST /runs")
    assert body["overrides"] == {
        "dataset": f"file:{tmp_path}/work/a.jsonl",
        "model": f"file:{tmp_path}/m",
        "teacher": f"file:{tmp_path}/work/t",
        "prefix": "/think",  # no ref: left as it is
    }


def test_files_that_are_mixed_in_become_absolute_too(kitchen_stub, command, tmp_path, monkeypatch):
    (tmp_path / "b.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    mix = {"./a.jsonl": 0.5, "b.jsonl": {"share": 1, "fields": {"text": "t"}}, "org/data": 2}
    fields = json.dumps({"text": "./b.jsonl"})
    command("run", "sl_basic", f"mix={json.dumps(mix)}", f"fields={fields}", "dataset=b.jsonl")
    [body] = kitchen_stub.bodies("POST /runs")
    assert json.loads(body["overrides"]["mix"]) == {
        f"file:{tmp_path}/a.jsonl": 0.5,
        f"file:{tmp_path}/b.jsonl": {"share": 1, "fields": {"text": "t"}},
        "org/data": 2,
    }
    assert body["overrides"]["fields"] == fields  # no ref: left as it is
    assert body["overrides"]["dataset"] == f"file:{tmp_path}/b.jsonl"


def test_a_mapping_that_is_no_json_is_left_for_the_config_to_refuse(
    kitchen_stub, command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    command("run", "sl_basic", 'mix={"./a.jsonl": }', "dataset=./a.jsonl")
    [body] = kitchen_stub.bodies("POST /runs")
    assert body["overrides"]["mix"] == '{"./a.jsonl": }'


def test_two_spellings_of_one_file_are_refused(kitchen_stub, command, tmp_path, monkeypatch):
    (tmp_path / "b.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    said = command("run", "sl_basic", 'mix={"./b.jsonl": 0.5, "b.jsonl": 1}')
    assert said.code == 2
    assert said.err.startswith("error: 'b.jsonl' and './b.jsonl' are the same data; name it once")
    assert kitchen_stub.bodies("POST /runs") == []


def test_a_key_that_is_given_twice_is_left_for_the_config_to_refuse(kitchen_stub, command):
    mix = '{"./b.jsonl": 0.5, "./b.jsonl": 1}'
    command("run", "sl_basic", f"mix={mix}")
    assert kitchen_stub.bodies("POST /runs")[0]["overrides"]["mix"] == mix


@pytest.mark.parametrize("name", ["nofile.jsonl", "data/nofile.jsonl.gz"])
@pytest.mark.parametrize("form", ["dataset={}", 'mix={{"{}": 1}}'])
def test_a_data_file_that_is_not_there_is_refused_here(kitchen_stub, command, name, form):
    said = command("run", "sl_basic", form.format(name), "prefix=other.json")
    assert (said.code, said.err.splitlines()[0]) == (2, f"error: there is no file {name} here")
    assert kitchen_stub.bodies("POST /runs") == []


def test_what_holds_no_ref_may_end_as_a_file_does(kitchen_stub, command):
    command("run", "sl_basic", "prefix=other.json", "dataset=hf:org/data.json")
    [body] = kitchen_stub.bodies("POST /runs")
    assert body["overrides"] == {"prefix": "other.json", "dataset": "hf:org/data.json"}


def test_a_hub_name_that_is_also_a_folder_here_is_asked_about(
    kitchen_stub, command, tmp_path, monkeypatch
):
    (tmp_path / "org" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    said = command("run", "sl_basic", "dataset=org/data")
    assert said.code == 2
    assert "write ./org/data or hf:org/data" in said.err


def test_a_recipe_file_is_named_absolutely(kitchen_stub, command, tmp_path, monkeypatch):
    (tmp_path / "mine.py").touch()
    monkeypatch.chdir(tmp_path)
    command("run", "mine.py")
    assert kitchen_stub.bodies("POST /runs")[0]["recipe"] == f"{tmp_path}/mine.py"
    said = command("run", "./yours.py")
    assert (said.code, said.err.splitlines()[0]) == (2, "error: no such recipe file: ./yours.py")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "sl_basic", "max_steps"], "'max_steps' is not of the form key=value"),
        (["run", "sl_basic", "=5"], "'=5' is not of the form key=value"),
        (["run", "sl_basic", "a=1", "a=2"], "'a' is given twice"),
        (["run", "sl_basic", "--adapter", "hub"], "'hub' is not of the form PORT=NAME"),
        (["run"], "missing argument 'RECIPE'"),
        (["run", "sl_basic", "--priority", "high"], "'--priority'"),
        (["run", "sl_basic", "--nope"], "no such option: --nope"),
        (["shw"], "no such command 'shw'"),
        (["show", ""], "a run's id or name is missing"),
    ],
)
def test_wrong_usage_is_one_line_a_hint_and_2(kitchen_stub, command, words, message):
    said = command(*words)
    assert said.code == 2
    assert said.out == ""
    assert message in said.err.splitlines()[0]
    assert said.err.startswith("error: ")
    assert all(line.startswith("hint: ") for line in said.err.splitlines()[1:])


def test_what_the_daemon_refuses_is_wrong_usage(kitchen_stub, command):
    kitchen_stub.answers["POST /runs"] = Refusal(422, "unknown setting 'lr'", "see the recipe")
    said = command("run", "sl_basic", "lr=1")
    assert (said.code, said.err) == (2, "error: unknown setting 'lr'\nhint: see the recipe\n")


def test_a_failing_daemon_is_no_wrong_usage(kitchen_stub, command):
    kitchen_stub.answers["POST /runs"] = Refusal(500, "boom")
    said = command("run", "sl_basic")
    assert said.code == 1
    assert "daemon.log" in said.err


def test_waiting_prints_how_the_run_ended(kitchen_stub, command):
    said = command("run", "sl_basic", "--wait")
    assert (said.code, said.out, said.err) == (0, f"{RUN_ID}  completed after 12s\n", "")


def test_waiting_with_json_prints_the_run_as_it_ended(kitchen_stub, command):
    said = command("run", "sl_basic", "--wait", "--json")
    assert json.loads(said.out) == run_info().model_dump(mode="json")
    assert said.err == ""


def test_json_without_waiting_prints_the_run_as_it_was_queued(kitchen_stub, command):
    said = command("run", "sl_basic", "--json")
    assert json.loads(said.out)["status"] == "queued"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (RunStatus.FAILED, EventKind.RUN_FAILED),
        (RunStatus.CANCELLED, EventKind.RUN_CANCELLED),
        (RunStatus.INTERRUPTED, EventKind.RUN_INTERRUPTED),
    ],
)
def test_a_run_that_does_not_complete_exits_with_1(kitchen_stub, command, status, kind):
    kitchen_stub.answers[f"GET /runs/{RUN_ID}"] = run_info(status=status)
    kitchen_stub.streams = [history(ends=kind)]
    said = command("run", "sl_basic", "--wait")
    assert (said.code, said.out) == (1, f"{RUN_ID}  {status} after 12s\n")


def test_a_failed_run_says_what_where_and_what_to_do(kitchen_stub, command):
    error = RunError(
        type="ConfigError",
        message="no [trained] tokens",
        hint="raise max_length",
        stage="BuildDatums",
        log_tail=[f"line {i}" for i in range(30)],
    )
    kitchen_stub.answers[f"GET /runs/{RUN_ID}"] = run_info(status=RunStatus.FAILED, error=error)
    kitchen_stub.streams = [history(ends=EventKind.RUN_FAILED)]
    said = command("run", "sl_basic", "--wait")
    assert said.code == 1
    assert said.err.splitlines() == [
        "the worker's last lines:",
        *(f"  line {i}" for i in range(20, 30)),
        "error: ConfigError: no [trained] tokens (in stage BuildDatums)",
        "hint: raise max_length",
        f"go on from its last checkpoint: kitchen resume {RUN_ID}",
    ]


LONG = "mine.jsonl row 1: " + "the right answer must stand behind ####, " * 4


def test_an_error_whose_message_says_all_is_one_line_however_long(kitchen_stub, command):
    error = RunError(type="RowError", message=LONG, hint="", stage="LoadDataset", log_tail=[])
    kitchen_stub.answers[f"GET /runs/{RUN_ID}"] = run_info(status=RunStatus.FAILED, error=error)
    kitchen_stub.streams = [history(ends=EventKind.RUN_FAILED)]
    said = command("run", "sl_basic", "--wait")
    assert said.err.splitlines()[0] == f"error: {LONG} (in stage LoadDataset)"


def warned(count):
    told = [{"level": "warning", "message": f"row {n} is left out"} for n in range(count)]
    return [event_item(10 + n, EventKind.LOG, step=0, metadata=each) for n, each in enumerate(told)]


def test_what_a_run_warns_of_is_said_when_it_has_been_waited_for(kitchen_stub, command):
    *before, end = history()
    kitchen_stub.streams = [[*before, *warned(7), end]]
    said = command("run", "sl_basic", "--wait")
    assert said.err.splitlines() == [
        *(f"warning: row {n} is left out" for n in range(5)),
        f"2 more warnings: kitchen events {RUN_ID}",
    ]


def test_a_watcher_in_a_pipe_reads_a_warning_once(kitchen_stub, command):
    *before, end = history()
    kitchen_stub.streams = [[*before, *warned(1), end]]
    said = command("run", "sl_basic", "--watch")
    assert f"{said.out}{said.err}".count("warning: row 0 is left out") == 1


def test_how_to_go_on_is_said_once(kitchen_stub, command):
    reason = f"go on with: kitchen resume {RUN_ID}"
    paused = run_info(status=RunStatus.PAUSED, reason=reason)
    kitchen_stub.answers[f"GET /runs/{RUN_ID}"] = paused
    kitchen_stub.streams = [history(ends=EventKind.RUN_PAUSED)]
    assert command("run", "sl_basic", "--wait").err == f"{reason}\n"


def test_a_dry_run_shows_the_plan_and_queues_nothing(kitchen_stub, command):
    plan = Plan(
        recipe="sl_basic",
        description="Learn",
        workflow="supervised",
        preset=None,
        manifest="dev",
        config={
            "seed": 0,
            "learning_rate": None,
            "register_as": None,
            "mix": {"file:/b": {"share": 2.0, "fields": {}}},
        },
        config_hash="c",
        recipe_revision="d",
        pins={},
        adapters={"model_hub": "memory"},
        after=[],
        drawing=["workflow supervised", "  LoadDataset"],
    )
    kitchen_stub.answers["POST /plans"] = plan
    said = command("run", "sl_basic", "--dry-run")
    assert said.code == 0
    assert "none: suggested from the model" in said.out
    assert "register_as    none" in said.out
    assert 'mix            {"file:/b": {"share": 2.0, "fields": {}}}' in said.out
    assert "  LoadDataset" in said.out
    assert json.loads(command("run", "sl_basic", "--dry-run", "--json").out) == plan.model_dump()
    assert kitchen_stub.bodies("POST /runs") == []


def test_retry_and_resume_can_wait_too(kitchen_stub, command):
    kitchen_stub.answers["POST /runs/old/retry"] = run_info(**QUEUED)
    kitchen_stub.answers["POST /runs/old/resume"] = run_info(**QUEUED)
    kitchen_stub.streams = [history(), history()]
    assert command("retry", "old", "--wait").out == f"{RUN_ID}  completed after 12s\n"
    assert command("resume", "old", "--replace", "--wait").code == 0
    assert ("POST /runs/old/resume", {"replace": ["true"]}, None) in kitchen_stub.asked


def test_several_runs_are_resumed_at_once_but_not_stayed_with(kitchen_stub, command):
    for name, run_id in (("a", "1qnc0000000a"), ("b", "1qnc0000000b")):
        run = run_info(**(QUEUED | {"id": run_id}), reason="resumed; goes on from step 250")
        kitchen_stub.answers[f"GET /runs/{name}"] = run
        kitchen_stub.answers[f"POST /runs/{run_id}/resume"] = run
    assert command("resume", "a", "b", "--wait").code == 2
    assert kitchen_stub.asked == []
    assert command("resume", "a", "b").out.splitlines() == [
        "1qnc0000000a  queued: resumed; goes on from step 250",
        "1qnc0000000b  queued: resumed; goes on from step 250",
    ]


def test_resume_says_what_it_will_do(kitchen_stub, command):
    told = "resumed; goes on from step 250"
    kitchen_stub.answers["POST /runs/old/resume"] = run_info(**QUEUED, reason=told)
    assert command("resume", "old").err.splitlines()[0] == told
    assert told in command("resume", "old", "--watch").err


def test_cancel_says_whether_the_run_has_ended(kitchen_stub, command):
    kitchen_stub.answers["POST /runs/r/cancel"] = run_info(status=RunStatus.CANCELLED)
    assert command("cancel", "r").out == f"{RUN_ID}  cancelled\n"
    running = run_info(status=RunStatus.RUNNING, progress=ProgressInfo(step=1))
    kitchen_stub.answers["POST /runs/r/cancel"] = running
    assert command("cancel", "r").out.startswith(f"{RUN_ID}  asked to stop")
