"""Sampling from one version of the bigram table."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import aclosing
from functools import partial

import numpy as np

from kitchen_core.adapters.checks import Limits, check_sampling, check_top
from kitchen_core.adapters.completion_text import Drawn, StopTexts, spoken, stop_tokens
from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.memory.bigram import Table, choose, log_softmax
from kitchen_core.adapters.streaming import streamed
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.types import FloatArray, Sample, SampledToken, SamplingParams, TopLogprobs


def _nothing() -> None: ...


class MemorySampler:
    """Samples from the table that `table` gives when the work's turn comes. live: it is in training."""

    def __init__(
        self,
        version: int,
        table: Callable[[], Table],
        thread: ComputeThread,
        limits: Limits,
        tokenizer: Tokenizer,
        *,
        live: bool = False,
        ready: Awaitable[None] | None = None,
        check_fresh: Callable[[], None] = _nothing,
        release: Callable[[], None] = _nothing,
    ) -> None:
        self.version = version
        self.table = table
        self.thread = thread
        self.live = live
        self._limits = limits
        self._tokenizer = tokenizer
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
            table = self.table()
            uniforms = self._uniforms(params, len(prompts), n)
            return [
                [self._complete(table, prompt, params, row) for row in rows]
                for prompt, rows in zip(prompts, uniforms, strict=True)
            ]

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
            self._limits.check_sequences("prompt", [prompt])
            [[uniforms]] = self._uniforms(params, 1, 1)
            drawn = self._draw(self.table(), prompt, params, uniforms)
            yield from spoken(drawn, partial(self._tokenizer.decode, skip_special=True))

        async with aclosing(streamed(self.thread, "stream", work)) as tokens:
            async for token in tokens:
                yield token

    async def compute_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Each sequence's token logprobs: `[seq - 1]` values, the first token has none."""
        await self._check()

        def work() -> list[FloatArray]:
            self._limits.check_sequences("sequence", sequences)
            logprobs = log_softmax(self.table())
            return [logprobs[s[:-1], s[1:]].astype(np.float32) for s in map(list, sequences)]

        return await self.thread.submit("compute_logprobs", work)

    async def top_logprobs(self, sequences: Sequence[Sequence[int]], k: int) -> list[TopLogprobs]:
        """For each position of each sequence the `k` likeliest next tokens, all where there are fewer."""
        await self._check()

        def work() -> list[TopLogprobs]:
            check_top(k)
            self._limits.check_sequences("sequence", sequences)
            logprobs = log_softmax(self.table())
            likeliest = np.argsort(-logprobs, axis=-1, kind="stable")[:, :k]
            return [
                TopLogprobs(
                    likeliest[read], logprobs[read[:, None], likeliest[read]].astype(np.float32)
                )
                for read in (np.asarray(s[:-1], np.int64) for s in sequences)
            ]

        return await self.thread.submit("top_logprobs", work)

    async def close(self) -> None:
        """Give back what the sampler holds."""
        self._release()

    async def _check(self) -> None:
        """Raises StaleSampler, or what kept the weights from being copied."""
        self._check_fresh()
        if self._ready is not None:
            await self._ready

    def _uniforms(self, params: SamplingParams, prompts: int, n: int) -> np.ndarray:
        """The numbers that decide each token: `[prompts, n, longest]`."""
        longest = min(params.max_tokens, self._limits.max_length)
        return np.random.default_rng(params.seed).random((prompts, n, longest))

    def _complete(
        self, table: Table, prompt: Sequence[int], params: SamplingParams, uniforms: np.ndarray
    ) -> Sample:
        tokens, logprobs, reasons = zip(*self._draw(table, prompt, params, uniforms), strict=True)
        return Sample(list(tokens), np.array(logprobs, np.float32), reasons[-1])

    def _draw(
        self, table: Table, prompt: Sequence[int], params: SamplingParams, uniforms: np.ndarray
    ) -> Iterator[Drawn]:
        stop = stop_tokens(params, self._tokenizer.eos_token_ids)
        texts = StopTexts(params.stop_texts, self._tokenizer.decode) if params.stop_texts else None
        uniforms = uniforms[: max(1, self._limits.max_length - len(prompt))]
        last = prompt[-1]
        for at, uniform in enumerate(uniforms, start=1):
            logits = table[last]
            last = choose(logits, params, uniform)
            stopped = last in stop or (texts is not None and texts.completed_by(last))
            reason = "stop" if stopped else "length" if at == len(uniforms) else None
            yield last, float(log_softmax(logits)[last]), reason
            if stopped:
                return
