"""How each kind of sample reads: what a model said with its surprises marked, and what came of it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from kitchen_core.telemetry.schema import EventKind, NewEvent
from kitchen_tui.cli.views.likelihood import compared_text, scored_text
from kitchen_tui.cli.views.samples import KINDS, kinds_of, samples_of
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_tui.logged import (
    answer,
    distilled,
    every_kind,
    pair,
    rollout,
    scored,
    turn,
)
from tests.kitchen_tui.support import RUN_ID, event, run_info
from tests.kitchen_tui.test_process import on_a_terminal


@pytest.fixture
def shown(stub, command, monkeypatch):
    """The lines of the page of some events, in a pipe of a width."""

    def lines(*events, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        stub.answers[f"GET /runs/{RUN_ID}/events"] = list(events)
        stub.answers[f"GET /runs/{RUN_ID}"] = run_info()
        said = command("samples", RUN_ID)
        assert (said.code, said.err) == (0, "")
        return [line.rstrip() for line in said.out.splitlines()]

    return lines


def test_the_less_likely_a_token_was_the_more_it_stands_out():
    tokens = scored(("a", 0.51), ("b", 0.49), ("c", 0.09), ("d", 0.009))
    assert scored_text(tokens, color=False).plain == "a‹b›‹‹c››‹‹‹d›››"
    colored = scored_text(tokens, color=True)
    assert colored.plain == "abcd"
    assert [str(span.style) for span in colored.spans] == [
        "yellow underline",
        "bold red underline",
        "bold red reverse",
    ]


def test_tokens_that_spell_one_character_are_as_likely_as_all_of_them_together():
    euro = [("", math.log(0.6)), ("", math.log(0.6)), ("€", math.log(0.9))]  # .6 · .6 · .9 = .324
    assert scored_text(euro, color=False).plain == "‹€›"


def test_a_token_of_unknown_likelihood_is_not_marked():
    assert scored_text([("a", None)], color=False).plain == "a"
    assert compared_text([("a", None, -5.0)], color=False).plain == "a"


@given(st.lists(st.tuples(st.text(), st.floats(max_value=0) | st.none())))
def test_color_changes_nothing_of_what_was_said(tokens):
    said = scored_text(tokens, color=True).plain
    bare = scored_text([(text, 0.0) for text, _ in tokens], color=False).plain
    assert said == bare


def test_an_answer_is_shown_with_its_surprises(shown):
    tokens = scored(("2", 0.7), ("7", 0.03), ("<|end|>", 0.3))
    assert shown(answer(1, 10, "27", tokens=tokens)) == [
        "step 10  answers to held-out questions",
        "‹under 50 %›  ‹‹under 10 %››  ‹‹‹under 1 %››› likely",
        "✗ 1+1?",
        "  completion  2‹‹7››‹<|end|>›",
        "  expected    2",
        "  logprob     -0.5",
        "",
    ]


def test_the_answers_of_a_pair_stand_beside_one_another_where_there_is_room(shown):
    wide = shown(pair(1, 10), width=100)
    assert wide[2:6] == [
        "✓ pairs.jsonl row 3  margin +0.75",
        "  prompt  What is 12 + 7?",
        "  chosen  reward +0.25".ljust(51) + "rejected  reward -0.5",
        "  \\boxed{19}".ljust(51) + "\\boxed{‹‹‹2›››‹9›}",
    ]
    assert shown(pair(1, 10), width=60)[4:8] == [
        "  chosen  reward +0.25",
        "    \\boxed{19}",
        "  rejected  reward -0.5",
        "    \\boxed{‹‹‹2›››‹9›}",
    ]


def test_a_pair_says_which_answer_is_ahead(shown):
    lines = shown(
        pair(1, 0, chosen_reward=0.0, rejected_reward=0.0),
        pair(2, 0, index=1, chosen_reward=-0.5, rejected_reward=0.25),
    )
    titles = [line for line in lines if "margin" in line]
    assert titles == ["= pairs.jsonl row 3  margin 0", "✗ pairs.jsonl row 3  margin -0.75"]


def test_episodes_of_one_problem_stand_below_it(shown):
    wrong = {"correct": 0.0, "format": -0.1}
    assert shown(
        rollout(1, 10),
        rollout(2, 10, index=1, reward=-0.1, advantage=-0.85, rewards=wrong, version=8),
    ) == [
        "step 10  episodes",
        "‹under 50 %›  ‹‹under 10 %››  ‹‹‹under 1 %››› likely",
        "builtin:math row 12  math",
        "  question  What is 12 + 7?",
        "  expected  \\boxed{19}",
        "  reward 1  advantage +0.25  correct 1  format 0",
        "    \\boxed{‹‹1››‹9›}<|end|>",
        "  reward -0.1  advantage -0.85  correct 0  format -0.1  sampled at step 8",
        "    \\boxed{‹‹1››‹9›}<|end|>",
        "",
    ]


def test_an_episode_of_several_turns_tells_what_each_earned_and_was_told(shown):
    turns = [turn("5", "Higher.", near=0.5), turn("9", "Yes!", right=1.0)]
    rewards = {"near": 0.5, "right": 1.0}
    lines = shown(rollout(1, 10, turns=turns, rewards=rewards, reward=1.5))
    assert lines[3:5] == ["  question  What is 12 + 7?", "  prompt    Guess."]
    assert lines[6:11] == [
        "  reward 1.5  advantage +0.25  near 0.5  right 1",
        "    5  near 0.5",
        "    → Higher.",
        "    9  right 1",
        "    → Yes!",
    ]


def test_an_episode_that_broke_says_why_it_is_left_out(shown):
    lines = shown(rollout(1, 10, turns=[turn("5")], error="Timeout: no answer", advantage=None))
    assert lines[6:8] == ["  left out: Timeout: no answer", "    5"]


def test_what_is_distilled_shows_where_student_and_teacher_differ(shown):
    assert shown(distilled(1, 10)) == [
        "step 10  answers as student and teacher find them",
        "to the teacher ‹‹10× less likely››  ‹2× less›  ›2× more‹",
        "builtin:prompts row 5  kl 0.75 a token",
        "  question  What is 12 + 7?",
        "  said      \\boxed{‹‹2››‹9›}<|end|>",
        "  teacher   run:1qnc00000009",
        "  token  student  teacher",
        "  2      40.0 %   2.0 %",
        "  9      60.0 %   25.0 %",
        "",
    ]


def test_a_token_that_the_teacher_wants_more_is_marked_the_other_way_round():
    tokens = [("a", math.log(0.2), math.log(0.5))]
    assert compared_text(tokens, color=False).plain == "›a‹"


def test_a_kind_that_only_a_recipe_knows_is_shown_name_by_name(shown):
    metadata = {"kind": "haiku", "index": 0, "lines": ["old pond"], "good": True}
    lines = shown(event(1, EventKind.SAMPLE_LOGGED, step=3, metadata=metadata))
    assert lines == [
        "step 3  haiku",
        "  index  0",
        '  lines  ["old pond"]',
        "  good   true",
        "",
    ]


@pytest.mark.parametrize("width", [30, 60, 160])
def test_no_kind_is_wider_than_the_screen(shown, width):
    lines = shown(*every_kind(), width=width)
    assert max(map(len, lines)) <= width


def test_what_lies_in_a_real_store_comes_out_as_it_went_in(home, command):
    """Through the store, a real daemon and its socket."""
    with fresh_store(home.root) as store:
        run = start(store)
        run.append([as_logged(event) for event in every_kind()])
    try:
        said = command("samples", run.run_id, "--json")
        assert (said.code, said.err) == (0, "")
        found = json.loads(said.out)
    finally:
        assert command("down").code == 0
    went_in = json.loads(to_json(samples_of(every_kind())))
    assert found == went_in
    assert kinds_of(found) == list(KINDS)


def as_logged(event):
    """An event as a stage logs it, before the store numbers it."""
    return NewEvent(
        kind=event.kind,
        at=event.at,
        step=event.step,
        measurements=event.measurements,
        metadata=event.metadata,
    )


def test_a_kind_is_explained_once_and_titled_at_every_step(stub, command):
    stub.answers[f"GET /runs/{RUN_ID}/events"] = [answer(1, 0, "3"), answer(2, 5, "2")]
    out = command("samples", RUN_ID, "--all").out
    assert out.count("answers to held-out questions") == 2
    assert out.count("likely") == 1


def test_on_a_terminal_surprises_are_colored(stub):
    stub.answers[f"GET /runs/{RUN_ID}/events"] = every_kind()
    _, written = on_a_terminal(stub.home, "samples", RUN_ID, "--kind", "answer")
    assert "\x1b[1;4;31m7\x1b[0m" in written
    assert "‹‹" not in written
