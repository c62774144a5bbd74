"""What was logged, for people to read: in color on a terminal, in brackets elsewhere, as JSON for scripts."""

import json

import pytest

from kitchen_core.telemetry.schema import EventKind, RunStatus
from tests.kitchen_tui.logged import answer, pair, row
from tests.kitchen_tui.support import RUN_ID, event, run_info
from tests.kitchen_tui.test_process import on_a_terminal

LOGGED = [row(1, 0), answer(2, 0, "3"), row(3, 10), answer(4, 10, "2"), answer(5, 10, "5", index=1)]


@pytest.fixture
def logged(stub):
    stub.answers[f"GET /runs/{RUN_ID}/events"] = LOGGED
    stub.answers[f"GET /runs/{RUN_ID}"] = run_info()
    return stub


def steps(said):
    return [sample["step"] for sample in json.loads(said.out)]


def test_only_samples_and_resumes_are_asked_for(logged, command):
    command("samples", RUN_ID)
    assert logged.asked[-1][1]["kind"] == ["sample.logged", "run.resumed"]


def test_the_newest_step_is_shown_unless_others_are_asked_for(logged, command):
    assert steps(command("samples", RUN_ID, "--json")) == [10, 10, 10]
    assert steps(command("samples", RUN_ID, "--json", "--all")) == [0, 0, 10, 10, 10]
    assert steps(command("samples", RUN_ID, "--json", "--step", "0")) == [0, 0]
    assert command("samples", RUN_ID, "--all", "--step", "0").code == 2
    assert steps(command("samples", RUN_ID, "--json", "--step", "5")) == []


def test_each_kind_has_a_newest_step_of_its_own(logged, command):
    """The last evaluation of a run has no coming batch, so its rows are those of the one before."""
    logged.answers[f"GET /runs/{RUN_ID}/events"] = [*LOGGED, answer(6, 12, "2"), pair(7, 11)]
    found = json.loads(command("samples", RUN_ID, "--json").out)
    assert [(sample["step"], sample["kind"]) for sample in found] == [
        (10, "train"),
        (11, "pair"),
        (12, "answer"),
    ]


def test_one_kind_can_be_asked_for(logged, command):
    found = json.loads(command("samples", RUN_ID, "--kind", "train", "--all", "--json").out)
    assert [(sample["step"], sample["kind"]) for sample in found] == [(0, "train"), (10, "train")]
    assert command("samples", RUN_ID, "--kind", "trian") == (
        0,
        "",
        "No samples of kind trian; there are some of train, answer.\n",
    )


def test_a_sample_as_json_is_one_flat_object(logged, command):
    first, second = json.loads(command("samples", RUN_ID, "--json", "--step", "0").out)
    assert first == {"step": 0, **LOGGED[0].metadata}
    assert second == {"step": 0, **LOGGED[1].metadata, "logprob": -0.5}


def test_what_a_resume_logs_again_is_shown_once(logged, command):
    logged.answers[f"GET /runs/{RUN_ID}/events"] = [*LOGGED, answer(9, 10, "again"), row(10, 10)]
    found = json.loads(command("samples", RUN_ID, "--json", "--all").out)
    assert [sample.get("completion") for sample in found] == [None, "3", None, "again", "5"]


def test_what_lies_beyond_the_checkpoint_of_a_resume_is_no_longer_there(logged, command):
    resumed = event(9, EventKind.RUN_RESUMED, step=5)
    events = [*LOGGED, resumed]
    logged.answers[f"GET /runs/{RUN_ID}/events"] = events
    assert steps(command("samples", RUN_ID, "--json", "--all")) == [0, 0]
    logged.answers[f"GET /runs/{RUN_ID}/events"] = [*events, answer(11, 10, "anew")]
    assert steps(command("samples", RUN_ID, "--json", "--all")) == [0, 0, 10]


def test_in_a_pipe_what_is_trained_stands_in_brackets(logged, command):
    said = command("samples", RUN_ID, "--step", "10")
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "step 10  rows of the next batch",
        "⟦trained⟧",
        "chat.jsonl row 7  10 tokens, 3 trained",
        "  <|user|>1+1?↵",
        "  <|assistant|>⟦2↵",
        "  <|end|>⟧↵",
        "",
        "step 10  answers to held-out questions",
        "‹under 50 %›  ‹‹under 10 %››  ‹‹‹under 1 %››› likely",
        "✓ 1+1?",
        "  completion  2",
        "  expected    2",
        "  logprob     -0.5",
        "",
        "✗ 1+1?",
        "  completion  5",
        "  expected    2",
        "  logprob     -0.5",
        "",
    ]


def test_the_prompt_is_shown_where_it_is_more_than_the_question(logged, command):
    longer = answer(1, 0, "2", prompt="0+0?\n0\n1+1?")
    logged.answers[f"GET /runs/{RUN_ID}/events"] = [longer]
    lines = [line.rstrip() for line in command("samples", RUN_ID).out.splitlines()]
    assert lines[3:6] == ["  prompt      0+0?↵", "              0↵", "              1+1?"]


def test_on_a_terminal_what_is_trained_is_green_and_the_rest_dim(logged):
    _, written = on_a_terminal(logged.home, "samples", RUN_ID, "--step", "10")
    assert "\x1b[2m<|user|>1+1?↵" in written
    assert "\x1b[32m2↵" in written
    assert "⟦" not in written


def test_without_color_a_terminal_shows_brackets(logged, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, written = on_a_terminal(logged.home, "samples", RUN_ID)
    assert "⟦2↵" in written
    assert "\x1b[32m" not in written


@pytest.mark.parametrize("width", [20, 60, 160])
def test_long_words_are_folded_not_lost(logged, command, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    word = "abcdefghij" * 30
    segments = [{"text": word, "trained": True, "tokens": 9}]
    logged.answers[f"GET /runs/{RUN_ID}/events"] = [
        row(1, 0, segments=segments),
        answer(2, 0, word),
    ]
    out = command("samples", RUN_ID).out
    assert max(map(len, out.splitlines())) <= width
    assert "".join(out.split()).count(word) == 2


def test_a_terminal_obeys_nothing_that_a_model_wrote(logged, command):
    logged.answers[f"GET /runs/{RUN_ID}/events"] = [answer(1, 0, "\x1b[2J\t\x07[red]x[/]\x9b\r")]
    out = command("samples", RUN_ID).out
    assert "␛[2J⇥␇[red]x[/]\ufffd␍" in out
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\r"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config": {"eval_every": 0}}, "its eval_every is 0. Start one with eval_every=10, say."),
        (
            {"config": {"log_samples": 0}},
            "its log_samples is 0. Start one with log_samples=10, say.",
        ),
        ({}, f"This run ended before it logged a sample. What happened: kitchen events {RUN_ID}"),
        (
            {"status": RunStatus.RUNNING},
            f"they come with the first evaluation: kitchen watch {RUN_ID}",
        ),
    ],
)
def test_where_there_are_none_it_says_why_and_what_to_do(logged, command, changes, words):
    logged.answers[f"GET /runs/{RUN_ID}/events"] = []
    logged.answers[f"GET /runs/{RUN_ID}"] = run_info(**changes)
    said = command("samples", RUN_ID)
    assert (said.code, said.out) == (0, "")
    assert said.err.endswith(words + "\n")
    assert len(said.err.splitlines()) == 1


def test_a_step_without_samples_is_told_those_that_have_some(logged, command):
    assert command("samples", RUN_ID, "--step", "5") == (
        0,
        "",
        "No samples at step 5; there are some at 0, 10.\n",
    )
