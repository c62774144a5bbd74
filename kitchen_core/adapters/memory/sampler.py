"""Sampling from one version of the bigram table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from kitchen_core.adapters.checks import Limits, check_sampling
from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.memory.bigram import Table, choose, log_softmax
from kitchen_core.train.types import FloatArray, Sample, SamplingParams, StopReason


class MemorySampler:
    """Samples from the table that `table` gives when the work's turn comes."""

    def __init__(
        self,
        *,
        version: int,
        table: Callable[[], Table],
        thread: ComputeThread,
        limits: Limits,
        default_stop: tuple[int, ...],
        ready: Awaitable[None] | None,
        check_fresh: Callable[[], None],
        release: Callable[[], None],
    ) -> None:
        self.version = version
        self._table = table
        self._thread = thread
        self._limits = limits
        self._default_stop = default_stop
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
            table = self._table()
            longest = min(params.max_tokens, self._limits.max_length)
            uniforms = np.random.default_rng(params.seed).random((len(prompts), n, longest))
            return [
                [self._complete(table, prompt, params, row) for row in rows]
                for prompt, rows in zip(prompts, uniforms, strict=True)
            ]

        return await self._thread.submit("sample", work)

    async def compute_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Each sequence's token logprobs: `[seq - 1]` values, the first token has none."""
        await self._check()

        def work() -> list[FloatArray]:
            self._limits.check_sequences("sequence", sequences)
            logprobs = log_softmax(self._table())
            return [logprobs[s[:-1], s[1:]].astype(np.float32) for s in map(list, sequences)]

        return await self._thread.submit("compute_logprobs", work)

    async def close(self) -> None:
        """Give back what the sampler holds."""
        self._release()

    async def _check(self) -> None:
        """Raises StaleSampler, or what kept the weights from being copied."""
        self._check_fresh()
        if self._ready is not None:
            await self._ready

    def _complete(
        self, table: Table, prompt: Sequence[int], params: SamplingParams, uniforms: np.ndarray
    ) -> Sample:
        stop = params.stop or self._default_stop
        tokens: list[int] = []
        logprobs: list[float] = []
        reason: StopReason = "length"
        for uniform in uniforms[: max(1, self._limits.max_length - len(prompt))]:
            logits = table[tokens[-1] if tokens else prompt[-1]]
            token = choose(logits, params, uniform)
            tokens.append(token)
            logprobs.append(log_softmax(logits)[token])
            if token in stop:
                reason = "stop"
                break
        return Sample(tokens, np.array(logprobs, np.float32), reason)
