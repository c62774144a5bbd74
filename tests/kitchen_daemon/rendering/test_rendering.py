"""Rows as a run would train on them, asked of a real daemon; on the in-memory model, whose tokens are bytes."""

from __future__ import annotations

import json
import sys

import pytest

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.apart import Apart
from kitchen_daemon.client import Refused
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.models import Launch, RenderRequest
from kitchen_daemon.rendering.renderings import RenderingFailed, Renderings
from tests.rows import chat, write_jsonl

ROWS = [
    chat("1+1?", "2", "Sure?", "Yes ✓"),
    chat("Hi", "Hello, how can I help you?"),
    chat("a", "b"),
]
SETTINGS = {"max_length": 23, "test_dataset": "builtin:chat"}


@pytest.fixture
def data(tmp_path):
    return f"file:{write_jsonl(tmp_path / 'mine.jsonl', ROWS)}"


def request(dataset, rows=5, **overrides):
    launch = Launch(
        recipe="chat_sl", manifest="test", overrides={"dataset": dataset} | SETTINGS | overrides
    )
    return RenderRequest(launch=launch, rows=rows)


def marked(sequence):
    return "".join(f"[{s.text}]" if s.trained else s.text for s in sequence.segments)


def test_each_row_is_shown_with_what_is_trained_of_it_and_where_it_is_cut(daemon, data):
    shown = daemon.client.render(request(data))
    assert [marked(each) for each in shown.sequences] == [
        "<user>1+1?<eos><assistant>[2<eos>]<user>Sure?<eos><assistant>[Yes \ufffd]",
        "<user>Hi<eos><assistant>[Hello, how can I h]",
        "<user>a<eos><assistant>[b<eos>]",
    ]
    # row 1 has 17 tokens before its last answer and 4 of "Yes ": 2 of the 3 bytes of ✓ are left
    assert [each.num_tokens for each in shown.sequences] == [23, 23, 6]
    assert [each.num_loss_tokens for each in shown.sequences] == [8, 18, 2]
    assert [each.num_cut for each in shown.sequences] == [2, 9, 0]
    assert [each.where for each in shown.sequences] == [f"mine.jsonl row {n}" for n in (1, 2, 3)]
    assert (shown.num_rows, shown.total_rows, shown.schema_name) == (3, 3, "messages")


def test_of_a_pair_both_sides_are_shown(daemon, tmp_path):
    rows = [
        {"prompt": "1+1?", "chosen": "2", "rejected": "three"},
        {"prompt": "1+1+1+1+1+1+1", "chosen": "7", "rejected": "8"},
    ]
    data = f"file:{write_jsonl(tmp_path / 'pairs.jsonl', rows)}"
    launch = Launch(
        recipe="dpo",
        manifest="test",
        overrides={"dataset": data, "max_length": 14, "test_dataset": "builtin:preferences"},
    )
    shown = daemon.client.render(RenderRequest(launch=launch))
    assert [(each.side, marked(each)) for each in shown.sequences[:2]] == [
        ("chosen", "<user>1+1?<eos><assistant>[2<eos>]"),
        ("rejected", "<user>1+1?<eos><assistant>[three<eos>]"),
    ]
    assert [each.num_loss_tokens for each in shown.sequences] == [2, 6, 0, 0]
    assert (shown.num_rows, shown.schema_name, shown.train_on) == (2, "preference", "both answers")
    assert not shown.refusal


PROBLEMS = [
    {"question": "1+1?", "answer": "2"},
    {"question": "What is the sum of one and one?", "answer": "2"},
]


def asked_of(recipe, tmp_path, **overrides):
    data = f"file:{write_jsonl(tmp_path / 'problems.jsonl', PROBLEMS)}"
    settings = {"dataset": data, "max_length": 23, "test_fraction": 0, "eval_every": 0}
    return RenderRequest(
        launch=Launch(recipe=recipe, manifest="test", overrides=settings | overrides)
    )


def test_of_a_problem_what_a_run_asks_is_shown_and_what_is_right(daemon, tmp_path):
    shown = daemon.client.render(asked_of("math_rl", tmp_path, env="arithmetic"))
    assert [(marked(each), each.expected, each.fits) for each in shown.sequences] == [
        ("<user>1+1?<eos><assistant>", "2", True),
        ("<user>What is the sum of one and one?<eos><assistant>", "2", False),
    ]
    assert all(each.asked and not each.num_loss_tokens for each in shown.sequences)
    assert "env=arithmetic" in shown.train_on
    assert not shown.refusal


def test_problems_without_room_bring_the_line_that_a_run_ends_with(daemon, tmp_path):
    short = asked_of("math_rl", tmp_path, env="arithmetic", max_length=4)
    refusal = daemon.client.render(short).refusal
    run = daemon.settled(daemon.client.launch(short.launch).id)
    assert run.error.message == refusal.replace("these 2", "2")


def test_a_row_that_poses_no_problem_is_refused_as_a_run_would(daemon, tmp_path):
    with pytest.raises(Refused, match=r"problems\.jsonl row 1: the right answer must stand behind"):
        daemon.client.render(asked_of("math_rl", tmp_path, env="gsm8k"))


def test_mixed_problems_are_those_of_their_own_environment(daemon, tmp_path):
    other = write_jsonl(tmp_path / "other.jsonl", [{"question": "Two?", "answer": "It is 2."}])
    mix = {f"file:{other}": {"share": 1, "env": "question_answer"}}
    [mixed] = daemon.client.render(asked_of("math_rl", tmp_path, env="arithmetic", mix=mix)).mixed
    assert [each.expected for each in mixed.sequences] == ["It is 2."]


def test_a_teacher_prompt_is_shown_beside_the_students(daemon, tmp_path):
    template = "{question} {answer}!"
    shown = daemon.client.render(asked_of("distillation", tmp_path, teacher_prompt=template))
    assert [(each.side, marked(each)) for each in shown.sequences[:2]] == [
        ("", "<user>1+1?<eos><assistant>"),
        ("teacher", "<user>1+1? 2!<eos><assistant>"),
    ]
    assert [each.fits for each in shown.sequences] == [True, True, False, False]
    alone = daemon.client.render(asked_of("distillation", tmp_path))
    assert [each.side for each in alone.sequences] == ["", ""]


def test_it_is_what_a_run_trains_on_and_nothing_is_queued_for_it(daemon, data):
    before = len(daemon.client.runs())
    asked = request(data, batch_size=3, max_steps=1, log_samples=3, eval_samples=1, eval_examples=1)
    shown = daemon.client.render(asked)
    assert len(daemon.client.runs()) == before
    run = daemon.settled(daemon.client.launch(asked.launch).id)
    logged = daemon.client.events(run.id, kinds=[EventKind.SAMPLE_LOGGED])
    trained = {
        event.metadata["where"]: event.metadata["segments"]
        for event in logged
        if event.metadata["kind"] == "train"
    }
    assert trained == {
        each.where: [segment.model_dump() for segment in each.segments] for each in shown.sequences
    }


def test_the_first_rows_are_those_that_are_not_held_out(daemon, data):
    held_out = request("builtin:chat", rows=1000, test_fraction=0.5, max_length=200)
    assert daemon.client.render(held_out).num_rows == 1000  # it brings a test set of its own
    half = daemon.client.render(request(data, test_fraction=0.5, test_dataset=None))
    assert 0 < half.num_rows < 3
    assert half.total_rows == 3


def test_the_settings_decide_what_is_trained(daemon, data):
    shown = daemon.client.render(
        request(data, rows=1, max_length=99, train_on="last_assistant_turn")
    )
    assert marked(shown.sequences[0]).endswith("2<eos><user>Sure?<eos><assistant>[Yes ✓<eos>]")


def test_plain_text_is_trained_whole_but_for_its_first_token(daemon, tmp_path):
    file = write_jsonl(tmp_path / "plain.jsonl", [{"text": "once"}])
    [sequence] = daemon.client.render(request(f"file:{file}")).sequences
    assert marked(sequence) == "o[nce<eos>]"


def test_what_is_mixed_in_is_shown_as_it_is_trained_too(daemon, data, tmp_path):
    pairs = [{"q": "1", "completion": "2"}, {"q": "3", "completion": "4"}]
    file = f"file:{write_jsonl(tmp_path / 'pairs.jsonl', pairs)}"
    mix = {file: {"share": 0.5, "fields": {"prompt": "q"}}}
    shown = daemon.client.render(request(data, rows=1, mix=mix))
    [mixed] = shown.mixed
    assert (mixed.dataset, mixed.share, mixed.schema_name) == (
        "pairs.jsonl",
        0.5,
        "prompt_completion",
    )
    assert [marked(each) for each in mixed.sequences] == ["<user>1<eos><assistant>[2<eos>]"]
    assert (mixed.num_rows, mixed.total_rows) == (1, 2)


def test_a_mixed_set_that_does_not_fit_is_refused_as_a_run_would(daemon, data, tmp_path):
    file = f"file:{write_jsonl(tmp_path / 'odd.jsonl', [{'foo': 1}])}"
    with pytest.raises(Refused, match=r"odd\.jsonl row 1: .*foo"):
        daemon.client.render(request(data, mix={file: 0.5}))


def test_rows_without_a_trained_token_bring_the_line_that_a_run_ends_with(daemon, data):
    assert daemon.client.render(request(data)).refusal == ""
    untrained = request(data, max_length=4, max_steps=1)
    refusal = daemon.client.render(untrained).refusal
    assert refusal.startswith("mine.jsonl: none of these 3 rows has a token to train within max_l")
    run = daemon.settled(daemon.client.launch(untrained.launch).id)
    assert run.error.message == refusal.replace("these 3", "3")


REFUSALS = {
    "a row that does not fit": (
        [ROWS[0], {"messages": [{"role": "user", "content": 5}]}],
        {},
        r"mine\.jsonl row 2: .*content",
    ),
    "a renderer that is not there": (
        ROWS,
        {"renderer": "qwen33"},
        r"given 'qwen33', expected one of auto.*; did you mean 'qwen3'",
    ),
    "a renderer that does not fit": (ROWS, {"renderer": "llama3"}, r"llama3"),
    "a setting that is not there": (
        ROWS,
        {"max_lengt": 5},
        r"unknown setting 'max_lengt'; did you mean 'max_length'",
    ),
    "fields that are not there": (
        ROWS,
        {"fields": {"messages": "turns"}},
        r"fields maps 'messages' to 'turns'",
    ),
    "a model that is not there": (ROWS, {"model": "builtin:huge"}, r"huge"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_a_run_would_be_refused_for_is_told_in_one_line(daemon, tmp_path, refusal):
    rows, overrides, words = REFUSALS[refusal]
    file = write_jsonl(tmp_path / "mine.jsonl", rows)
    with pytest.raises(Refused, match=words) as refused:
        daemon.client.render(request(f"file:{file}", **overrides))
    assert refused.value.status == 422
    assert len(str(refused.value).splitlines()) == 1


def test_a_ports_hint_comes_along(daemon):
    with pytest.raises(Refused, match=r"org/nowhere.* there is no such repository") as refused:
        daemon.client.render(request("hf:org/nowhere"))
    assert refused.value.hint


@pytest.fixture
def renderings(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    with Store.open(home.root) as store:
        yield Renderings(home, store, Submissions(home, store, Shelf(home)), Apart(home))


def test_what_takes_too_long_is_ended_and_told(renderings, data):
    with pytest.raises(RenderingFailed, match=r"not ready within 0\.01 s") as failed:
        renderings.render(request(data), seconds=0.01)
    assert failed.value.problem.hint


def test_a_process_that_dies_is_told_by_its_last_words(renderings, data, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho out of luck >&2\nexit 7\n")
    python.chmod(0o755)
    asked = request(data)
    renderings.render(asked)  # what reads recipes apart starts with the real interpreter
    monkeypatch.setattr(sys, "executable", str(python))
    log = Home(tmp_path / "home").daemon_log
    with pytest.raises(RenderingFailed, match=r"exit code 7\): out of luck"):
        renderings.render(asked)
    assert log.read_text().endswith("out of luck\n")


def test_a_silent_death_is_not_told_in_the_words_of_others(renderings, data, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 7\n")
    python.chmod(0o755)
    asked = request(data)
    renderings.render(asked)
    Home(tmp_path / "home").daemon_log.write_text("somebody else's words\n")
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(RenderingFailed, match=r"exit code 7\): it said nothing"):
        renderings.render(asked)


def test_a_recipe_may_bring_a_renderer_of_its_own(daemon, data):
    file = daemon.home.recipes / "shouting.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "from kitchen_core import Recipe\n"
        "from kitchen_core.train.renderers import TemplateRenderer, register_renderer\n"
        "from kitchen_core.workflows import SupervisedConfig, supervised\n"
        "class Shouting(TemplateRenderer):\n"
        "    name = 'shouting'\n"
        "register_renderer('shouting', Shouting)\n"
        "recipe = Recipe('shouting', 'S', supervised,\n"
        "                SupervisedConfig(renderer='shouting', learning_rate=0.1))\n"
    )
    launch = Launch(recipe="shouting", manifest="test", overrides={"dataset": data})
    shown = daemon.client.render(RenderRequest(launch=launch))
    assert (shown.recipe, shown.renderer) == ("shouting", "shouting")
    assert json.loads(shown.model_dump_json())["sequences"]
