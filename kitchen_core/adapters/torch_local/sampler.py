"""The sampling client of a session: one version of its weights, or another model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing
from functools import partial

import numpy as np

from kitchen_core.adapters.checks import check_sampling, check_top
from kitchen_core.adapters.completion_text import spoken
from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.streaming import streamed
from kitchen_core.adapters.torch_local.engine import Opened
from kitchen_core.train.types import FloatArray, Sample, SampledToken, SamplingParams, TopLogprobs


def _nothing() -> None:
    """What most samplers have to check, and to give back."""


class TorchSampler:
    """Samples from the model that `opened` gives when the work's turn comes.

    live: it is the model in training. ready: what the first work waits for. check_fresh: raises
    StaleSampler when the weights have moved on.
    """

    def __init__(
        self,
        version: int,
        opened: Opened,
        thread: ComputeThread,
        *,
        live: bool = False,
        ready: Awaitable[None] | None = None,
        check_fresh: Callable[[], None] = _nothing,
        release: Callable[[], None] = _nothing,
    ) -> None:
        self.version = version
        self.opened = opened
        self.thread = thread
        self.live = live
        self._ready = ready
        self._check_fresh = check_fresh
        self.release = release

    async def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, n: int = 1
    ) -> list[list[Sample]]:
        """`n` completions of each prompt, `[prompts][n]`. Raises StaleSampler when the weights have moved on."""
        await self._check()

        def work() -> list[list[Sample]]:
            check_sampling(params, n)
            with self.opened() as engine:
                engine.limits.check_sequences("prompt", prompts)
                rows = [tuple(prompt) for prompt in prompts for _ in range(n)]
                completions = engine.decoder.complete(rows, params)
                return [[next(completions) for _ in range(n)] for _ in prompts]

        return await self.thread.submit("sample", work)

    async def stream(
        self, prompt: Sequence[int], params: SamplingParams
    ) -> AsyncGenerator[SampledToken, None]:
        """One completion, token by token as it comes: the same tokens that `sample` gives for this
        prompt alone.

        It takes its turn on the compute thread when the first token is asked for, and ends at the
        next token when the iteration does. Raises StaleSampler when the weights have moved on.
        """
        await self._check()

        def work() -> Generator[SampledToken, None, None]:
            check_sampling(params, n=1)
            with self.opened() as engine:
                engine.limits.check_sequences("prompt", [prompt])
                drawn = engine.decoder.draw(tuple(prompt), params)
                decode = partial(engine.decoder.tokenizer.decode, skip_special=True)
                yield from spoken(drawn, decode)

        async with aclosing(streamed(self.thread, "stream", work)) as tokens:
            async for token in tokens:
                yield token

    async def compute_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Each sequence's token logprobs: `[seq - 1]` values, the first token has none."""
        await self._check()

        def work() -> list[FloatArray]:
            with self.opened() as engine:
                engine.limits.check_sequences("sequence", sequences)
                return engine.reader.sequence_logprobs([np.asarray(s, np.int64) for s in sequences])

        return await self.thread.submit("compute_logprobs", work)

    async def top_logprobs(self, sequences: Sequence[Sequence[int]], k: int) -> list[TopLogprobs]:
        """For each position of each sequence the `k` likeliest next tokens, all where there are fewer."""
        await self._check()

        def work() -> list[TopLogprobs]:
            check_top(k)
            with self.opened() as engine:
                engine.limits.check_sequences("sequence", sequences)
                return engine.reader.top_logprobs([np.asarray(s, np.int64) for s in sequences], k)

        return await self.thread.submit("top_logprobs", work)

    async def close(self) -> None:
        """Give back what the sampler holds."""
        self.release()

    async def _check(self) -> None:
        """Raises StaleSampler, or what kept the weights from being copied."""
        self._check_fresh()
        if self._ready is not None:
            await self._ready
