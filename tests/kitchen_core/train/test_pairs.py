"""What of a comparison is trained, what is cut, and the answers that kto measures by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.adapters.memory.tokenizer import EOS, ByteTokenizer
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.builtin import model_folder
from kitchen_core.train.conversations import Comparison, Conversation
from kitchen_core.train.datums import datum_from_rendered, datum_of_completion
from kitchen_core.train.pairs import PairPreparation, answer_logprobs, mismatched, parted
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.types import Message

TEXT = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


def comparison(chosen, rejected, *before):
    prompt = (*before, Message("user", "1 + 1"))
    sides = [
        Conversation((*prompt, Message("assistant", said)), "x row 1")
        for said in (chosen, rejected)
    ]
    return Comparison(*sides, "x row 1")


def preparation(max_length=64):
    tokenizer = ByteTokenizer()
    return PairPreparation(get_renderer("template", tokenizer), tokenizer, max_length)


def trained(rendered):
    return [token for token, on in zip(rendered.tokens, rendered.trained, strict=True) if on]


def test_the_answers_and_their_ends_of_turn_are_trained():
    chosen, rejected = preparation().sequences(comparison("2", "eleven"))
    assert trained(chosen) == [*b"2", EOS]
    assert trained(rejected) == [*b"eleven", EOS]


def test_earlier_answers_are_not_trained():
    before = (Message("user", "0 + 0"), Message("assistant", "0"))
    chosen, rejected = preparation().sequences(comparison("2", "3", *before))
    assert trained(chosen) == [*b"2", EOS]
    assert trained(rejected) == [*b"3", EOS]


@pytest.mark.parametrize("renderer", ["template", "role_colon"])
@given(TEXT, TEXT)
def test_both_sides_begin_with_the_prompt_that_is_sampled_from(renderer, one, other):
    tokenizer = HuggingFaceTokenizer(model_folder("tiny"))
    how = PairPreparation(get_renderer(renderer, tokenizer), tokenizer, 256)
    pair = comparison(one, other + "!")
    prompt = how.renderer.prompt(pair.prompt)
    for side in how.sequences(pair):
        found, answer = parted(datum_from_rendered(side))
        assert found == prompt
        assert [*found, *answer] == side.tokens[: len(found) + len(answer)]


def test_a_long_answer_is_cut_and_stays_trained():
    whole = preparation().sequences(comparison("2" * 40, "3"))
    length = len(whole[0].tokens) - 10
    chosen, rejected = preparation(length).sequences(comparison("2" * 40, "3"))
    assert len(chosen.tokens) == length
    assert trained(chosen) == trained(whole[0])[:-10]
    assert rejected == whole[1]


def test_a_pair_with_nothing_left_of_an_answer_is_none():
    prompt = len(preparation().renderer.prompt(comparison("2", "3").prompt))
    assert preparation(prompt).sequences(comparison("2", "3")) == []
    assert len(preparation(prompt + 1).sequences(comparison("2", "3"))) == 2


def test_logprobs_of_the_prompt_do_not_count():
    datum = datum_of_completion([1, 2, 3], [4, 5])
    logprobs = np.array([np.nan, np.nan, -1.5, -0.25], np.float32)
    assert answer_logprobs([logprobs], [datum]).tolist() == [-1.75]


def test_mismatched_answers_are_those_of_the_pair_before():
    # chosen and rejected of three prompts: 10, 20, 30; answers of 1, 2, 3 and 4, 5, 6
    prompts, answers = [10, 10, 20, 20, 30, 30], [[1], [4], [2, 2], [5], [3], [6, 6, 6]]
    datums = [
        datum_of_completion([prompt], answer)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    found = [parted(datum) for datum in mismatched(datums, max_length=16)]
    assert found == [
        ([10], [3]),
        ([10], [6, 6, 6]),
        ([20], [1]),
        ([20], [4]),
        ([30], [2, 2]),
        ([30], [5]),
    ]


def test_mismatched_answers_are_cut_too():
    datums = [datum_of_completion([1] * 5, [2]), datum_of_completion([1] * 5, [3])]
    longer = [datum_of_completion([1], [2] * 9), datum_of_completion([1], [3] * 9)]
    assert {len(datum) for datum in mismatched([*datums, *longer], max_length=8)} == {7, 1}


def test_where_there_are_no_pairs_none_are_mismatched():
    assert mismatched([], 64) == []
