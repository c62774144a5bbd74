"""The sampling port: completions with logprobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from kitchen_core.train.types import (
    FloatArray,
    Sample,
    SampledToken,
    SamplingParams,
    TopLogprobs,
)


class SamplingClient(Protocol):
    """Samples from one version of a model's weights."""

    @property
    def version(self) -> int:
        """Optimizer steps behind the weights that are sampled."""
        ...

    async def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, n: int = 1
    ) -> list[list[Sample]]:
        """`n` completions of each prompt, `[prompts][n]`. All prompts of a call are decoded
        together where the backend can.

        Raises StaleSampler when the weights have moved on.
        """
        ...

    def stream(
        self, prompt: Sequence[int], params: SamplingParams
    ) -> AsyncGenerator[SampledToken, None]:
        """One completion, token by token as it comes: the same tokens that `sample` gives for this
        prompt alone, even if the weights move on meanwhile.

        It takes its place in the order of work when the first token is asked for. Closing it early
        (`contextlib.aclosing`) ends the work at the next token. Raises StaleSampler when the
        weights have moved on before.
        """
        ...

    async def compute_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Each sequence's token logprobs: `[seq - 1]` values, the first token has none."""
        ...

    async def top_logprobs(self, sequences: Sequence[Sequence[int]], k: int) -> list[TopLogprobs]:
        """For each position of each sequence the `k` likeliest next tokens (all, where the vocabulary
        has fewer). Raises Unsupported where the backend can't.
        """
        ...

    async def close(self) -> None:
        """Give back what the sampler holds."""
        ...
