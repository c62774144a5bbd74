"""What a completion is asked for with at a Tinker server, and what of its answer is the completion.

Servers differ in what they do with stops, and in the logprobs that they give. So everything that the
port promises is asked for by name, and held against what comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tinker

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.completion_text import StopTexts, stop_tokens
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.rng import seed_for
from kitchen_core.train.types import FloatArray, Sample, SamplingParams, StopReason

_SEEDS = 2**30
"""Servers count a prompt's samples up from its seed and keep 31 bits of it: the rest is room."""

_TINY = 1e-6
"""As good as zero in the single precision of the wire. A likeliest token of a vocabulary of less than a
million has more probability than this, so a top_p below it keeps that token alone, as this does.
"""


@dataclass(frozen=True)
class Asked:
    """One call's parameters for one model."""

    params: SamplingParams
    tokenizer: Tokenizer
    limits: Limits

    @property
    def gives_own_logprobs(self) -> bool:
        """Whether a server may take the logprobs of the distribution that it draws from, after
        temperature, top_k and top_p; then those at temperature 1 have to be scored.

        SkyRL gives those at temperature 1 always; what the hosted service does is not documented.
        """
        params = self.params
        return params.temperature != 1 or self._top_k != -1 or params.top_p != 1

    def on_the_wire(self, index: int, prompt: Sequence[int]) -> tinker.SamplingParams:
        """For the call's prompt number `index`, which has a seed of its own: equal prompts get different
        answers. Its completion gets what the prompt leaves of the context, at least one token; where it
        is scored afterwards one less, for a server samples a token as it scores.
        """
        params = self.params
        left = self.limits.max_length - len(prompt) - int(self.gives_own_logprobs)
        room = max(1, min(params.max_tokens, left))
        return tinker.SamplingParams(
            max_tokens=room,
            seed=seed_for(params.seed, "sample", index) % _SEEDS,
            stop=self._stops(),
            temperature=params.temperature if params.temperature >= _TINY else 0.0,
            top_k=self._top_k,
            top_p=max(params.top_p, _TINY),
        )

    def completion(self, sequence: tinker.SampledSequence) -> Sample:
        """A server's sequence up to its first end, wherever the server ended it."""
        tokens, reason = self._up_to_the_end(sequence.tokens, sequence.stop_reason)
        given = sequence.logprobs or []
        if not tokens or (given and len(given) < len(tokens)):
            raise PortError(
                f"the server gave {len(sequence.tokens)} tokens and {len(given)} logprobs",
                hint="Check what serves base_url.",
            )
        return Sample(tokens, np.array(given[: len(tokens)], np.float32), reason)

    def _up_to_the_end(
        self, tokens: Sequence[int], reason: StopReason
    ) -> tuple[list[int], StopReason]:
        ends = self._stop_tokens
        texts = self.params.stop_texts
        text = StopTexts(texts, self.tokenizer.decode) if texts else None
        for at, token in enumerate(tokens, start=1):
            if token in ends or (text is not None and text.completed_by(token)):
                return list(tokens[:at]), "stop"
        return list(tokens), reason

    def _stops(self) -> list[int] | list[str]:
        """Texts or ids, for a server takes one kind; an empty list lets nothing end a completion.

        Of both the ids: what the server then says too much is cut here. Ids that no model has, by which a
        caller lets nothing end it, stay here too.
        """
        if self.params.stop_texts and not self.params.stop:
            return list(self.params.stop_texts)
        return [token for token in self._stop_tokens if 0 <= token < self.limits.vocab_size]

    @property
    def _stop_tokens(self) -> tuple[int, ...]:
        return stop_tokens(self.params, self.tokenizer.eos_token_ids)

    @property
    def _top_k(self) -> int:
        return self.params.top_k if self.params.top_k < self.limits.vocab_size else -1


def check_finite(logprobs: FloatArray) -> FloatArray:
    """The logprobs themselves. Raises PortError where the model has broken down."""
    if not np.isfinite(logprobs).all():
        raise PortError(
            "the model gives logprobs that are not finite",
            hint="Training has diverged; go back to a checkpoint and lower learning_rate.",
        )
    return logprobs
