"""Sampling from one version of a model's weights at a Tinker server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import tinker

from kitchen_core.adapters.checks import Limits, check_sampling, check_top
from kitchen_core.adapters.completion_text import Drawn, spoken
from kitchen_core.adapters.tinker.completions import Asked, check_finite
from kitchen_core.adapters.tinker.failures import is_lost
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tinker.top import no_top_logprobs, top_of
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.types import FloatArray, Sample, SampledToken, SamplingParams, TopLogprobs

Result = TypeVar("Result")
Again = Callable[[PortError], Awaitable[tinker.SamplingClient]]
"""Gives another client where the service has lost the last one, or raises what it is told."""

_RENEWALS = 3
"""How often one request may find that the service has lost its client."""

_ONE_TOKEN = tinker.SamplingParams(max_tokens=1)
"""A server scores a prompt as it samples from it, so one token has to be sampled along."""


def _nothing() -> None:
    """What most samplers have to check, and to give back."""


class TinkerSampler:
    """Samples through the SDK's client that `client` gives.

    check_fresh: raises StaleSampler when the weights have moved on. what: what it is called when it is
    closed. again: gives another client where the service has lost this one. How many requests are under
    way at once is the SDK's affair.
    """

    def __init__(
        self,
        client: Awaitable[tinker.SamplingClient],
        version: int,
        service: Service,
        tokenizer: Tokenizer,
        limits: Limits,
        *,
        what: str = "sampler",
        check_fresh: Callable[[], None] = _nothing,
        release: Callable[[], None] = _nothing,
        again: Again | None = None,
    ) -> None:
        self.version = version
        self._client = asyncio.ensure_future(client)
        self._client.add_done_callback(_take_note)
        self._service = service
        self._tokenizer = tokenizer
        self._limits = limits
        self._what = what
        self._check_fresh = check_fresh
        self._release = release
        self._again = again
        self._renewing = asyncio.Lock()
        self._closed = False

    async def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, n: int = 1
    ) -> list[list[Sample]]:
        """`n` completions of each prompt, `[prompts][n]`: a request each, all submitted at once.

        Where temperature, top_k or top_p may be in the logprobs that a server gives, the completions are
        scored in a second request. Raises StaleSampler when the weights have moved on.
        """
        self._check()
        check_sampling(params, n)
        self._limits.check_sequences("prompt", prompts)
        asked = Asked(params, self._tokenizer, self._limits)

        async def complete(index: int, prompt: Sequence[int]) -> list[Sample]:
            wanted = asked.on_the_wire(index, prompt)
            response = await self._ask(
                "sample", lambda client: client.sample(_input(prompt), n, wanted)
            )
            samples = [asked.completion(sequence) for sequence in response.sequences]
            return await _together(self._at_temperature_1(asked, prompt, s) for s in samples)

        return await _together(complete(*numbered) for numbered in enumerate(prompts))

    async def stream(
        self, prompt: Sequence[int], params: SamplingParams
    ) -> AsyncGenerator[SampledToken, None]:
        """One completion, token by token: the same tokens that `sample` gives for this prompt alone.

        The service does not stream: the answer comes whole, and is then told a token at a time.
        Raises StaleSampler when the weights have moved on.
        """
        [[sample]] = await self.sample([prompt], params)
        decode = partial(self._tokenizer.decode, skip_special=True)
        for token in spoken(_drawn(sample), decode):
            yield token

    async def compute_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Each sequence's token logprobs: `[seq - 1]` values, the first token has none."""
        self._check()
        self._limits.check_sequences("sequence", sequences)
        return await _together(self._score(sequence) for sequence in sequences)

    async def top_logprobs(self, sequences: Sequence[Sequence[int]], k: int) -> list[TopLogprobs]:
        """For each position of each sequence the `k` likeliest next tokens, all where there are fewer.

        Raises Unsupported at a server that does not give them, and InvalidRequest where it gives fewer.
        """
        self._check()
        check_top(k)
        self._limits.check_sequences("sequence", sequences)
        k = min(k, self._limits.vocab_size)

        async def rank(sequence: Sequence[int]) -> TopLogprobs:
            if len(sequence) == 1:
                return no_top_logprobs(k)
            response = await self._ask(
                "top_logprobs",
                lambda client: client.sample(
                    _input(sequence),
                    1,
                    _ONE_TOKEN,
                    include_prompt_logprobs=True,
                    topk_prompt_logprobs=k,
                ),
            )
            return top_of(response, len(sequence) - 1, k)

        return await _together(rank(sequence) for sequence in sequences)

    async def close(self) -> None:
        """Give back what the sampler holds."""
        if not self._closed:
            self._closed = True
            self._release()

    def _check(self) -> None:
        if self._closed:
            raise PortError(f"the {self._what} is closed", hint="Take a new one.")
        self._check_fresh()

    async def _ask(
        self, asked: str, request: Callable[[tinker.SamplingClient], tinker.APIFuture[Result]]
    ) -> Result:
        """What the service answers, also where it has to be told anew what is sampled from."""
        for _ in range(_RENEWALS):
            ready = self._client
            try:
                return await self._service.result(asked, request(await asyncio.shield(ready)))
            except PortError as error:
                if self._again is None or not is_lost(error.__cause__):
                    raise
                await self._renew(ready, error)
        return await self._service.result(asked, request(await asyncio.shield(self._client)))

    async def _renew(self, lost: asyncio.Future[tinker.SamplingClient], error: PortError) -> None:
        """Take another client, once for all who found that this one is lost."""
        async with self._renewing:
            if self._client is lost and self._again is not None:
                client = await self._again(error)
                self._client = asyncio.get_running_loop().create_future()
                self._client.set_result(client)

    async def _at_temperature_1(
        self, asked: Asked, prompt: Sequence[int], sample: Sample
    ) -> Sample:
        if len(sample.logprobs) and not asked.gives_own_logprobs:
            check_finite(sample.logprobs)
            return sample
        scored = await self._score([*prompt, *sample.tokens])
        return replace(sample, logprobs=scored[len(prompt) - 1 :])

    async def _score(self, sequence: Sequence[int]) -> FloatArray:
        if len(sequence) == 1:
            return np.empty(0, np.float32)
        scored = await self._ask(
            "compute_logprobs", lambda client: client.compute_logprobs(_input(sequence))
        )
        return check_finite(np.array(scored[1:], np.float32))


def _input(tokens: Sequence[int]) -> tinker.ModelInput:
    return tinker.ModelInput.from_ints([int(token) for token in tokens])


def _drawn(sample: Sample) -> Iterable[Drawn]:
    last = len(sample.tokens) - 1
    for at, (token, logprob) in enumerate(zip(sample.tokens, sample.logprobs, strict=True)):
        yield token, float(logprob), sample.stop_reason if at == last else None


async def _together(calls: Iterable[Coroutine[None, None, Result]]) -> list[Result]:
    """The results of all calls in their order; the first failure ends the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _take_note(client: asyncio.Future[tinker.SamplingClient]) -> None:
    """A failure is told to whoever samples; where nobody does, it is not to be reported as lost."""
    if not client.cancelled():
        client.exception()
