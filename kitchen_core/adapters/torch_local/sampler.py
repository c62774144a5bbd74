"""The sampling client of a session: one version of its weights."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing
from functools import partial

import numpy as np

from kitchen_core.adapters.checks import Limits, check_sampling
from kitchen_core.adapters.completion_text import spoken
from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.streaming import streamed
from kitchen_core.adapters.torch_local.decoding import Decoder
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.loading import ModelView
from kitchen_core.train.types import Datum, FloatArray, Sample, SampledToken, SamplingParams


class TorchSampler:
    """Samples from the model as `view` shows it."""

    def __init__(
        self,
        *,
        version: int,
        view: ModelView,
        thread: ComputeThread,
        decoder: Decoder,
        passes: Passes,
        limits: Limits,
        ready: Awaitable[None] | None,
        check_fresh: Callable[[], None],
        release: Callable[[], None],
    ) -> None:
        self.version = version
        self._view = view
        self._thread = thread
        self._decoder = decoder
        self._passes = passes
        self._limits = limits
        self._ready = ready
        self._check_fresh = check_fresh
        self._release = release

    async def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, n: int = 1
    ) -> list[list[Sample]]:
        """`n` completions of each prompt, `[prompts][n]`. Raises StaleSampler when the weights have moved on."""
        await self._check()

        def work() -> list[list[Sample]]:
            check_sampling(params, n)
            self._limits.check_sequences("prompt", prompts)
            rows = [tuple(prompt) for prompt in prompts for _ in range(n)]
            with self._view():
                completions = self._decoder.complete(rows, params)
                return [[next(completions) for _ in range(n)] for _ in prompts]

        return await self._thread.submit("sample", work)

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
            self._limits.check_sequences("prompt", [prompt])
            with self._view():
                drawn = self._decoder.draw(tuple(prompt), params)
                yield from spoken(drawn, partial(self._decoder.tokenizer.decode, skip_special=True))

        async with aclosing(streamed(self._thread, "stream", work)) as tokens:
            async for token in tokens:
                yield token

    async def compute_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Each sequence's token logprobs: `[seq - 1]` values, the first token has none."""
        await self._check()

        def work() -> list[FloatArray]:
            self._limits.check_sequences("sequence", sequences)
            with self._view():
                return self._score(sequences)

        return await self._thread.submit("compute_logprobs", work)

    async def close(self) -> None:
        """Give back what the sampler holds."""
        self._release()

    async def _check(self) -> None:
        """Raises StaleSampler, or what kept the weights from being copied."""
        self._check_fresh()
        if self._ready is not None:
            await self._ready

    def _score(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        scorable = [np.asarray(s, dtype=np.int64) for s in sequences if len(s) > 1]
        datums = [Datum(s[:-1], s[1:], np.ones(len(s) - 1, np.float32)) for s in scorable]
        scored = iter(self._passes.forward(datums).logprobs)
        return [next(scored) if len(s) > 1 else np.empty(0, np.float32) for s in sequences]
