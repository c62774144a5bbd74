"""What is asked of a server, and what is taken from its answer, whatever the server makes of stops."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import tinker

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.memory.tokenizer import ByteTokenizer
from kitchen_core.adapters.tinker.completions import Asked
from kitchen_core.adapters.tinker.top import top_of
from kitchen_core.train.ports.errors import InvalidRequest, PortError, Unsupported
from kitchen_core.train.types import SamplingParams, StopReason

TOKENIZER = ByteTokenizer()
[EOS] = TOKENIZER.eos_token_ids
LIMITS = Limits(vocab_size=261, max_length=64)
PROMPT = [1] * 10


def asked(max_tokens: int = 8, **params: Any) -> Asked:
    return Asked(SamplingParams(max_tokens, **params), TOKENIZER, LIMITS)


def sequence(text: str, reason: StopReason = "length", logprobs=None) -> tinker.SampledSequence:
    tokens = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    given = np.arange(len(tokens), dtype=np.float32) if logprobs is None else logprobs
    return tinker.SampledSequence(
        stop_reason=reason, sequence_id="0", tokens_np=tokens, logprobs_np=given
    )


class TestRequests:
    def test_give_each_prompt_a_seed_of_its_own_that_servers_can_count_up_from(self):
        digest = hashlib.sha256(b"3/sample/1").digest()
        expected = (int.from_bytes(digest[:8], "big") >> 1) % 2**30
        assert asked(seed=3).on_the_wire(1, PROMPT).seed == expected
        seeds = {asked(seed=s).on_the_wire(i, PROMPT).seed for s in range(10) for i in range(10)}
        assert len(seeds) == 100
        assert max(seed for seed in seeds if seed is not None) < 2**30

    @pytest.mark.parametrize(
        ("params", "stop"),
        [
            ({}, [EOS]),
            ({"stop": (7, 9)}, [7, 9]),
            ({"stop": (-1,)}, []),
            ({"stop_texts": ("\n", "User:")}, ["\n", "User:"]),
            ({"stop_texts": ("\n",), "stop": (7,)}, [7]),
        ],
    )
    def test_name_every_end(self, params, stop):
        assert asked(**params).on_the_wire(0, PROMPT).stop == stop

    @pytest.mark.parametrize(
        ("params", "room"),
        [
            ({"max_tokens": 8}, 8),
            ({"max_tokens": 10**11}, 54),
            # it is scored, and a server samples a token as it scores
            ({"max_tokens": 10**11, "temperature": 0.0}, 53),
        ],
    )
    def test_ask_for_no_more_than_the_context_holds(self, params, room):
        assert asked(**params).on_the_wire(0, PROMPT).max_tokens == room

    def test_ask_for_one_token_where_the_prompt_fills_the_context(self):
        assert asked().on_the_wire(0, [1] * 64).max_tokens == 1

    def test_say_what_single_precision_can_say(self):
        sent = asked(temperature=1e-300, top_p=1e-300, top_k=10**6).on_the_wire(0, PROMPT)
        assert (sent.temperature, sent.top_p, sent.top_k) == (0.0, 1e-6, -1)

    @pytest.mark.parametrize("params", [{"temperature": 0.7}, {"top_k": 5}, {"top_p": 0.9}])
    def test_are_scored_where_a_server_may_give_other_logprobs(self, params):
        assert asked(**params).gives_own_logprobs
        assert not asked(top_k=10**6).gives_own_logprobs


class TestCompletions:
    @pytest.mark.parametrize(
        ("params", "said", "text", "reason"),
        [
            ({"stop": (ord("c"),)}, "abcde", "abc", "stop"),
            ({"stop_texts": ("cd",)}, "abcde", "abcd", "stop"),
            ({"stop_texts": ("cd",), "stop": (ord("e"),)}, "abecd", "abe", "stop"),
            ({"stop_texts": ("cd",), "stop": (ord("e"),)}, "abcde", "abcd", "stop"),
            ({"stop_texts": ("é",)}, "caféx", "café", "stop"),
            ({"stop": (-1,)}, "abc", "abc", "length"),
        ],
    )
    def test_end_where_the_port_says_though_the_server_went_on(self, params, said, text, reason):
        sample = asked(**params).completion(sequence(said))
        assert (bytes(sample.tokens).decode(), sample.stop_reason) == (text, reason)
        assert sample.logprobs.tolist() == list(range(len(text.encode())))

    def test_end_as_the_server_says_where_it_has_reasons_of_its_own(self):
        sample = asked(stop_texts=("never",)).completion(sequence("ab", "stop"))
        assert (sample.tokens, sample.stop_reason) == ([97, 98], "stop")

    def test_without_logprobs_are_left_to_be_scored(self):
        bare = tinker.SampledSequence(
            stop_reason="length", sequence_id="0", tokens_np=np.array([1, 2], np.int32)
        )
        sample = asked().completion(bare)
        assert (sample.tokens, len(sample.logprobs)) == ([1, 2], 0)

    @pytest.mark.parametrize(
        "answer", [sequence(""), sequence("abc", logprobs=np.zeros(2, np.float32))]
    )
    def test_that_can_not_be_are_refused(self, answer):
        with pytest.raises(PortError, match=r"tokens and . logprobs"):
            asked().completion(answer)


def top_response(*rows) -> tinker.SampleResponse:
    return tinker.SampleResponse(sequences=[], _topk_prompt_logprobs_list=list(rows))


class TestTopLogprobs:
    def test_are_ordered_by_likelihood_and_of_equals_by_id(self):
        response = top_response(
            None, [(5, -2.0), (9, -1.0), (3, -2.0)], [(1, -1.0), (0, -1.0), (2, -1.0)]
        )
        top = top_of(response, 2, 2)
        assert top.tokens.tolist() == [[9, 3], [0, 1]]
        assert top.logprobs.tolist() == [[-1.0, -2.0], [-1.0, -1.0]]
        assert (top.tokens.dtype, top.logprobs.dtype) == (np.int64, np.float32)

    def test_may_come_without_a_row_for_the_first_token(self):
        assert top_of(top_response([(5, -2.0)]), 1, 1).tokens.tolist() == [[5]]

    def test_of_a_server_without_them_are_unsupported_with_a_way_on(self):
        with pytest.raises(Unsupported) as refused:
            top_of(tinker.SampleResponse(sequences=[]), 1, 1)
        assert "top_k_targets=0" in refused.value.hint

    def test_that_are_fewer_than_asked_for_are_refused(self):
        with pytest.raises(InvalidRequest, match="the 1 likeliest tokens at a position, 2"):
            top_of(top_response(None, [(5, -2.0), (6, -3.0)], [(5, -2.0)]), 2, 2)
