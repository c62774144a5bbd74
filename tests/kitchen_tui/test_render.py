"""Data as a run would train on it, before anything runs."""

import json

import pytest

from kitchen_daemon.models import RenderedMix, RenderedSegment, RenderedSequence, Rendering
from tests.kitchen_tui.support import Refusal
from tests.kitchen_tui.test_process import on_a_terminal

ASKED = ("<|user|>1+1?\n<|assistant|>", False, 6)
ANSWERED = ("2<|end|>", True, 2)
RECIPE = {
    "name": "chat_sl",
    "path": "/r/chat_sl.py",
    "config_schema": {"properties": {"dataset": {"ref": "dataset"}, "model": {"ref": "model"}}},
}


def sequence(*spans, where="mine.jsonl row 1", cut=0):
    return RenderedSequence(
        where=where,
        segments=[RenderedSegment(text=t, trained=on, tokens=n) for t, on, n in spans],
        num_tokens=sum(n for _, _, n in spans),
        num_loss_tokens=sum(n for _, on, n in spans if on),
        num_cut=cut,
    )


def rendering(*sequences, num_rows=None):
    return Rendering(
        recipe="chat_sl",
        model="builtin:tiny",
        dataset="mine.jsonl",
        schema_name="messages",
        renderer="template",
        train_on="all_assistant_messages",
        max_length=512,
        num_rows=len(sequences) if num_rows is None else num_rows,
        total_rows=1200,
        sequences=list(sequences),
    )


TWO = rendering(sequence(ASKED, ANSWERED), sequence(ASKED, where="mine.jsonl row 2", cut=1234))


@pytest.fixture
def cook(stub):
    stub.answers |= {"POST /renderings": TWO, "GET /recipe": RECIPE}
    return stub


def test_the_launch_is_that_of_a_run_with_files_absolute(cook, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").touch()
    words = ("mine.jsonl", "max_length=512", "model=a/b", "--preset", "gpu", "--rows", "7")
    assert command("render", *words).code == 0
    [asked] = cook.bodies("POST /renderings")
    assert asked["rows"] == 7
    assert (asked["launch"]["recipe"], asked["launch"]["preset"]) == ("chat_sl", "gpu")
    assert asked["launch"]["overrides"] == {
        "dataset": f"file:{tmp_path / 'mine.jsonl'}",
        "max_length": "512",
        "model": "a/b",
    }


def test_another_recipe_can_be_named(cook, command):
    command("render", "builtin:chat", "--recipe", "sl_basic")
    assert cook.bodies("POST /renderings")[0]["launch"]["recipe"] == "sl_basic"


def test_each_sequence_has_its_counts_and_the_end_has_the_totals(cook, command):
    said = command("render", "builtin:chat")
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "dataset   mine.jsonl (messages)",
        "model     builtin:tiny",
        "renderer  template, max_length 512",
        "train_on  all_assistant_messages  (⟦trained⟧)",
        "",
        "mine.jsonl row 1  8 tokens, 2 trained",
        "  <|user|>1+1?↵",
        "  <|assistant|>⟦2<|end|>⟧",
        "",
        "mine.jsonl row 2  6 tokens, 0 trained",
        "  <|user|>1+1?↵",
        "  <|assistant|>",
        "  ✂ cut at max_length=512: 1,234 more tokens are not read",
        "  left out of the run: no token of it is trained",
        "",
        "2 of 1,200 rows: 14 tokens, 2 trained (14.3 %)",
    ]


def test_a_prompt_has_its_right_answer_below_it_and_whether_there_is_room(cook, command):
    prompt = sequence(ASKED).model_copy(update={"asked": True, "expected": "2"})
    long = sequence(ASKED, where="mine.jsonl row 2")
    long = long.model_copy(update={"asked": True, "fits": False})
    shown = rendering(prompt, long).model_copy(update={"train_on": "what the model answers"})
    cook.answers["POST /renderings"] = shown
    lines = [line.rstrip() for line in command("render", "builtin:math").out.splitlines()]
    assert lines[3:] == [
        "train_on  what the model answers",
        "",
        "mine.jsonl row 1  6 tokens",
        "  <|user|>1+1?↵",
        "  <|assistant|>",
        "  expected: 2",
        "",
        "mine.jsonl row 2  6 tokens",
        "  <|user|>1+1?↵",
        "  <|assistant|>",
        "  left out of the run: no room for an answer within max_length=512",
        "",
        "2 of 1,200 rows: 12 tokens of prompts",
    ]


def test_rows_that_give_several_sequences_are_counted_once(cook, command):
    cook.answers["POST /renderings"] = rendering(*[sequence(ASKED, ANSWERED)] * 3, num_rows=1)
    last = command("render", "builtin:chat").out.splitlines()[-1]
    assert last == "1 of 1,200 rows in 3 sequences: 24 tokens, 6 trained (25.0 %)"


def test_what_is_mixed_in_stands_below_with_its_share(cook, command):
    mix = RenderedMix(
        **rendering(sequence(ASKED, ANSWERED, where="b row 1")).model_dump(
            include={"dataset", "schema_name", "num_rows", "total_rows", "sequences"}
        ),
        share=0.5,
    )
    cook.answers["POST /renderings"] = TWO.model_copy(update={"mixed": [mix]})
    lines = [line.rstrip() for line in command("render", "builtin:chat").out.splitlines()]
    at = lines.index("mix  mine.jsonl × 0.5 (messages)")
    assert lines[at + 2] == "b row 1  8 tokens, 2 trained"
    assert lines[-1] == "1 of 1,200 rows: 8 tokens, 2 trained (25.0 %)"


def test_rows_that_a_run_would_be_refused_for_end_with_why_and_1(cook, command):
    cook.answers["POST /renderings"] = TWO.model_copy(update={"refusal": "mine.jsonl: none of"})
    said = command("render", "builtin:chat")
    assert (said.code, said.err) == (1, "error: mine.jsonl: none of\n")
    assert "mine.jsonl row 2" in said.out


def test_on_a_terminal_what_is_trained_is_green(cook):
    _, written = on_a_terminal(cook.home, "render", "builtin:chat")
    assert "\x1b[32m2<|end|>" in written
    assert "⟦" not in written


def test_as_json_it_is_what_the_daemon_said(cook, command):
    said = command("render", "builtin:chat", "--json")
    assert Rendering.model_validate(json.loads(said.out)) == TWO


@pytest.mark.parametrize("width", [40, 60, 160])
def test_no_line_is_longer_than_the_terminal_is_wide(cook, command, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    long = ("many words " * 40 + "x" * 300, True, 90)
    cook.answers["POST /renderings"] = rendering(sequence(ASKED, long, cut=5))
    out = command("render", "builtin:chat").out
    assert max(map(len, out.splitlines())) <= width


def test_a_refusal_is_one_line_and_a_hint(cook, command):
    cook.answers["POST /renderings"] = Refusal(422, "mine.jsonl row 3: field 'x': no", "look there")
    said = command("render", "builtin:chat")
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: mine.jsonl row 3: field 'x': no\nhint: look there\n"


def test_the_dataset_is_named_once(cook, command):
    said = command("render", "builtin:chat", "dataset=builtin:arithmetic")
    assert said.code == 2
    assert said.err.splitlines() == [
        "error: the dataset is given twice",
        "hint: leave out dataset=builtin:arithmetic",
    ]
