from kitchen_core.telemetry.schema import EventKind, RunStatus
from kitchen_daemon.models import Lineage
from tests.kitchen_tui.support import RUN_ID, event, history, run_info
from tests.kitchen_tui.test_reading import FINAL, GRAPH

SERIES = {
    "test/nll": [[0, 13.0], [1, 5.0], [2, 0.5]],
    "test/exact_match": [[0, 0.0], [2, 0.75]],
    "test/exact_match_stderr": [[0, 0.0], [2, 0.125]],
}


def answer(seq, step, completion, *, correct):
    told = {"question": "1+1?", "completion": completion, "expected": "2", "index": 0}
    metadata = told | {"correct": correct}
    return event(seq, EventKind.SAMPLE_LOGGED, step=step, metadata=metadata)


ROW = {"kind": "train", "index": 0, "where": "row 1", "segments": []}


def prepare(stub, **changes):
    stub.answers |= {
        "POST /runs": run_info(status=RunStatus.QUEUED),
        f"GET /runs/{RUN_ID}": run_info(artifacts=[FINAL], **changes),
        f"GET /runs/{RUN_ID}/events": [
            event(9, EventKind.SAMPLE_LOGGED, step=0, metadata=ROW),
            answer(1, 0, "7 7 7", correct=False),
            answer(2, 1, "3", correct=False),
            answer(3, 2, "2", correct=True),
        ],
        f"GET /runs/{RUN_ID}/metrics": SERIES,
        f"GET /lineage/{RUN_ID}": Lineage.model_validate(GRAPH),
    }


def test_the_demo_tells_what_was_learned_by_first_and_last_evaluation(stub, command):
    prepare(stub)
    stub.streams = [history(), history()]
    said = command("demo")
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "sl_basic held-out nll 13 0.5" in lines
    assert "right, sampled 0.0 % ± 0.0 % 75.0 % ± 12.5 %" in lines
    assert "steps and time 2 in 12s" in lines
    assert "1+1? ✗ 7 7 7 ✓ 2 2" in lines
    at = lines.index("question step 0 step 2 right answer")
    assert lines[at - 1] == "sl_basic"
    assert FINAL.path in said.out.splitlines()
    assert f"kitchen metrics {RUN_ID} train_mean_nll" in said.out


def test_each_recipe_of_the_demo_starts_from_what_the_one_before_made(stub, command):
    prepare(stub)
    stub.streams = [history(), history()]
    command("demo")
    launched = [(each["recipe"], each["overrides"]) for each in stub.bodies("POST /runs")]
    assert launched == [("sl_basic", {}), ("chat_sl", {"model": f"run:{RUN_ID}"})]


def test_a_demo_whose_run_fails_exits_with_1(stub, command):
    prepare(stub, status=RunStatus.FAILED)
    stub.streams = [history(ends=EventKind.RUN_FAILED)]
    said = command("demo")
    assert said.code == 1
    assert "What was learned" not in said.out
