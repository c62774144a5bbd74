"""Sampling over the wire where a server is less careful than the port asks. What every sampler does is in
the contracts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.memory import files
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE, ByteTokenizer
from kitchen_core.adapters.tinker.sampling import TinkerSampler
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import InvalidRequest, PortError
from kitchen_core.train.types import SamplingParams
from tests.contracts.data import PROMPTS
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

PARAMS = SamplingParams(max_tokens=12, seed=3)
SAMPLE = "POST /api/v1/asample"


class CarelessTraining(MemoryTraining):
    """A backend whose samplers heed no stop, and give logprobs after the temperature."""

    async def start_session(self, spec):
        session = await super().start_session(spec)
        careful = session.sampler
        setattr(session, "sampler", lambda kind: CarelessSampler(careful(kind)))  # noqa: B010
        return session


class CarelessSampler:
    def __init__(self, sampler) -> None:
        self._sampler = sampler

    def __getattr__(self, name):
        return getattr(self._sampler, name)

    async def sample(self, prompts, params, n=1):
        endless = replace(params, stop=(-1,), stop_texts=())
        made = await self._sampler.sample(prompts, endless, n)
        off = np.float32(0 if params.temperature == 1 else 1)
        return [[replace(s, logprobs=s.logprobs - off) for s in of_prompt] for of_prompt in made]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    table = np.random.default_rng(0).normal(size=(VOCAB_SIZE, VOCAB_SIZE))
    files.write_model(folder / "base", table)
    bases = {"org/tiny": folder / "base"}
    with serve_tinker(TinkerDouble(client=CarelessTraining(), bases=bases, folder=folder)) as it:
        yield it


@pytest.fixture
def double(served):
    yield served
    served.faults.clear()


@pytest.fixture
async def service(double):
    service = Service(KEY, base_url=double.base_url, project=None, timeout_s=30)
    yield service
    await service.close()


def sampler_of(service: Service, base: str = "org/tiny") -> TinkerSampler:
    client = service.make("sampler", lambda c: c.create_sampling_client(base_model=base))
    return TinkerSampler(client, 0, service, ByteTokenizer(), Limits(VOCAB_SIZE, 4096))


@pytest.fixture
def sampler(service):
    return sampler_of(service)


async def test_equal_prompts_get_different_answers_and_the_same_call_the_same(sampler):
    first, again = [await sampler.sample([PROMPTS[0]] * 3, PARAMS, n=2) for _ in range(2)]
    tokens = [[sample.tokens for sample in of_prompt] for of_prompt in first]
    assert tokens == [[sample.tokens for sample in of_prompt] for of_prompt in again]
    assert len({tuple(each) for of_prompt in tokens for each in of_prompt}) == 6


@pytest.mark.parametrize("temperature", [0.0, 0.5, 3.0])
async def test_logprobs_are_untempered_though_the_servers_are_not(sampler, temperature):
    prompt = PROMPTS[0]
    [samples] = await sampler.sample([prompt], replace(PARAMS, temperature=temperature), n=2)
    for sample in samples:
        [scored] = await sampler.compute_logprobs([[*prompt, *sample.tokens]])
        np.testing.assert_allclose(sample.logprobs, scored[len(prompt) - 1 :], atol=1e-6)


async def test_a_prompt_costs_one_request_and_its_score_another_only_where_it_may_differ(
    double, sampler
):
    await sampler.sample(PROMPTS[:1], PARAMS)
    double.requests.clear()
    await sampler.sample(PROMPTS, PARAMS, n=2)
    assert double.requests.count(SAMPLE) == 3
    await sampler.sample(PROMPTS[:1], replace(PARAMS, top_p=0.5), n=2)
    assert double.requests.count(SAMPLE) == 3 + 1 + 2


async def test_completions_end_though_the_server_heeds_no_stop(sampler):
    stop = tuple(range(0, 256, 2))
    params = replace(PARAMS, max_tokens=60, stop=stop, stop_texts=("\x01",))
    [samples] = await sampler.sample(PROMPTS[:1], params, n=8)
    for sample in samples:
        assert sample.stop_reason == "stop"
        assert sample.tokens[-1] in (*stop, 1)
        assert not set(sample.tokens[:-1]) & {*stop, 1}
        assert len(sample.logprobs) == len(sample.tokens)


async def test_a_single_token_has_no_logprobs_and_asks_nothing(double, sampler):
    await sampler.compute_logprobs(PROMPTS[:1])
    double.requests.clear()
    assert [len(row) for row in await sampler.compute_logprobs([[1]])] == [0]
    [top] = await sampler.top_logprobs([[1]], 3)
    assert top.tokens.shape == top.logprobs.shape == (0, 3)
    assert SAMPLE not in double.requests


async def test_what_fails_at_the_server_is_said_once_in_its_words(double, sampler):
    double.faults.fail("asample", "the prompt holds an image", category="user")
    with pytest.raises(InvalidRequest, match="the prompt holds an image"):
        await sampler.sample(PROMPTS, PARAMS)


async def test_a_sampler_that_can_not_be_made_says_so_to_whoever_samples(service):
    sampler = sampler_of(service, "org/other")
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="org/other"):
            await sampler.sample(PROMPTS, PARAMS)


async def test_a_closed_one_refuses_and_gives_back_what_it_holds_once(service):
    given_back = []
    client = service.make("sampler", lambda c: c.create_sampling_client(base_model="org/tiny"))
    sampler = TinkerSampler(
        client,
        0,
        service,
        ByteTokenizer(),
        Limits(VOCAB_SIZE, 4096),
        what="snapshot",
        release=lambda: given_back.append(1),
    )
    await sampler.close()
    await sampler.close()
    assert given_back == [1]
    with pytest.raises(PortError, match="the snapshot is closed") as refused:
        await sampler.compute_logprobs(PROMPTS)
    assert refused.value.hint
