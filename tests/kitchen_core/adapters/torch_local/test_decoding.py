"""Choosing a token, and the ends of a completion."""

from __future__ import annotations

import pytest
import torch

from kitchen_core.adapters.memory.bigram import choose as choose_in_memory
from kitchen_core.adapters.torch_local.choosing import choose
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.types import AdamParams, LossSpec, SamplingParams
from tests.contracts.data import DATUMS

LOGITS = torch.tensor([[0.4, 0.1, 0.3, 0.2]]).log()


def reachable(**options) -> dict[int, float]:
    """Each token that can be chosen, with the share of an even grid of uniforms that choose it."""
    grid = (torch.arange(1000) + 0.5) / 1000
    params = SamplingParams(max_tokens=1, **options)
    chosen, _ = choose(LOGITS.expand(1000, -1), params, grid)
    counts = chosen.bincount(minlength=4) / 1000
    return {token: round(float(share), 3) for token, share in enumerate(counts) if share}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {0: 0.4, 1: 0.1, 2: 0.3, 3: 0.2}),
        ({"temperature": 0.0}, {0: 1.0}),
        ({"temperature": 0.5}, {0: 0.533, 1: 0.033, 2: 0.3, 3: 0.133}),
        ({"top_k": 2}, {0: 0.571, 2: 0.429}),
        ({"top_p": 0.5}, {0: 0.571, 2: 0.429}),
        ({"top_p": 0.39}, {0: 1.0}),
        ({"top_k": 3, "top_p": 0.6}, {0: 0.571, 2: 0.429}),
    ],
)
def test_tokens_are_chosen_in_proportion(options, expected):
    """temperature 0.5 squares: .16 .01 .09 .04 of .30. top_p 0.5 keeps .4 and the .3 that crosses it."""
    shares = reachable(**options)
    assert shares.keys() == expected.keys()
    assert shares == pytest.approx(expected, abs=0.002)


TIED = torch.tensor([[0.2, 0.3, 0.2, 0.3, 0.0]]).log()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"top_k": 1}, {1: 1.0}),
        ({"top_k": 2}, {1: 0.5, 3: 0.5}),
        ({"top_k": 3}, {0: 0.25, 1: 0.375, 3: 0.375}),
        ({"top_k": 5}, {0: 0.2, 1: 0.3, 2: 0.2, 3: 0.3}),
        ({"top_k": 99}, {0: 0.2, 1: 0.3, 2: 0.2, 3: 0.3}),
        ({"top_p": 0.3}, {1: 1.0}),
        ({"top_p": 0.31}, {1: 0.5, 3: 0.5}),
        ({"top_p": 0.7}, {0: 0.25, 1: 0.375, 3: 0.375}),
        ({"top_k": 3, "top_p": 0.37}, {1: 1.0}),
        ({"top_k": 3, "top_p": 0.8}, {0: 0.25, 1: 0.375, 3: 0.375}),
        ({"top_p": 1e-300}, {1: 1.0}),
        ({"temperature": 1e-300}, {1: 0.5, 3: 0.5}),
        ({"temperature": 1e-300, "top_k": 1}, {1: 1.0}),
    ],
)
def test_among_equals_the_lowest_ids_are_kept(options, expected):
    """top_k keeps exactly k. After top_k 3 the shares are 2/8, 3/8, 3/8, and top_p counts in those."""
    grid = (torch.arange(1000) + 0.5) / 1000
    params = SamplingParams(max_tokens=1, **options)
    torch_chosen, _ = choose(TIED.expand(1000, -1), params, grid)
    double_chosen = [choose_in_memory(TIED[0].double().numpy(), params, u) for u in grid.tolist()]
    for chosen in (torch_chosen, torch.tensor(double_chosen)):
        counts = chosen.bincount(minlength=5) / 1000
        shares = {token: float(share) for token, share in enumerate(counts) if share}
        assert shares == pytest.approx(expected, abs=0.002)


def test_the_logprob_is_that_of_the_whole_distribution():
    params = SamplingParams(max_tokens=1, temperature=0.1, top_k=1)
    _, logprob = choose(LOGITS, params, torch.tensor([0.5]))
    assert float(logprob.exp()) == pytest.approx(0.4)


def test_a_uniform_at_either_end_chooses_a_possible_token():
    params = SamplingParams(max_tokens=1, top_k=2)
    ends = torch.tensor([0.0, 1 - 2**-24])
    chosen, _ = choose(LOGITS.expand(2, -1), params, ends)
    assert chosen.tolist() == [0, 2]


async def test_a_completion_ends_where_the_context_does(start):
    session = await start()
    params = SamplingParams(max_tokens=50, stop=(255,), seed=1)
    [[completion]] = await session.sampler("live").sample([[5] * 120], params)
    assert (len(completion.tokens), completion.stop_reason) == (8, "length")


async def test_near_the_end_of_the_context_a_prompt_has_its_own_room(start):
    """The context is 128 tokens: 120 leave 8, 100 leave 28 and 128 leave room for the one that is due."""
    session = await start()
    sampler = session.sampler("live")
    params = SamplingParams(max_tokens=10**11, stop=(255,), seed=1)
    prompts = [[5] * 100, [5] * 120, [5] * 128]
    together = [completion for [completion] in await sampler.sample(prompts, params)]
    assert [len(completion.tokens) for completion in together] == [28, 8, 1]
    assert {completion.stop_reason for completion in together} == {"length"}
    [[alone]] = await sampler.sample(prompts[:1], params)
    assert together[0].tokens == alone.tokens
    for prompt, completion in zip(prompts[:2], together, strict=False):
        [scored] = await sampler.compute_logprobs([[*prompt, *completion.tokens]])
        assert completion.logprobs == pytest.approx(scored[len(prompt) - 1 :], abs=1e-4)


async def test_rows_that_end_leave_the_others_as_they_would_be_alone(start):
    session = await start()
    sampler = session.sampler("live")
    stop = tuple(range(0, 256, 3))
    params = SamplingParams(max_tokens=30, stop=stop, seed=5)
    prompts = [[token, 7] for token in range(40)]
    together = await sampler.sample(prompts, params)
    assert len({len(of_prompt[0].tokens) for of_prompt in together}) > 3
    for prompt, [completion] in zip(prompts, together, strict=True):
        [scored] = await sampler.compute_logprobs([[*prompt, *completion.tokens]])
        assert completion.logprobs == pytest.approx(scored[1:], abs=1e-4)


async def test_a_diverged_model_is_an_error_not_garbage(start):
    session = await start()
    session.forward_backward(DATUMS, LossSpec())
    await session.optim_step(AdamParams(learning_rate=float("inf")))
    with pytest.raises(PortError, match="not finite") as refused:
        await session.sampler("live").sample([[1, 2]], SamplingParams(max_tokens=4))
    assert "learning_rate" in refused.value.hint


async def test_global_randomness_is_left_alone(start):
    session = await start()
    before = torch.get_rng_state()
    await session.sampler("live").sample([[1, 2]], SamplingParams(max_tokens=4))
    assert torch.equal(torch.get_rng_state(), before)
