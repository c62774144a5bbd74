"""The decode loop: a batch of prompts in, completions with logprobs out.

Each completion has a row of uniform numbers of its own, drawn in order from the call's seed. So
what is sampled does not depend on how completions are batched, nor on which of them end first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from kitchen_core.adapters.torch_local.device import autocast
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.types import Sample, SamplingParams

Prompt = tuple[int, ...]


@dataclass(frozen=True)
class Decoder:
    """Decodes with one model, `batch_size` completions at a time."""

    model: nn.Module
    device: torch.device
    batch_size: int
    max_length: int
    default_stop: tuple[int, ...]

    def complete(self, rows: Sequence[Prompt], params: SamplingParams) -> Iterator[Sample]:
        """One completion a row, in order. A prompt that appears in several rows is read once a batch."""
        generator = torch.Generator().manual_seed(params.seed)
        stop = torch.tensor(params.stop or self.default_stop, device=self.device)
        longest = min(params.max_tokens, self.max_length)  # the same for every batch of a call
        for start in range(0, len(rows), self.batch_size):
            batch = rows[start : start + self.batch_size]
            uniforms = torch.rand(len(batch), longest, generator=generator)
            yield from self._decode(batch, params, stop, uniforms.to(self.device))

    def _rooms(self, rows: Sequence[Prompt], max_tokens: int) -> list[int]:
        """How many tokens each row may get: what its prompt leaves of the context, at least one."""
        return [max(1, min(max_tokens, self.max_length - len(row))) for row in rows]

    @torch.no_grad()
    def _decode(
        self, rows: Sequence[Prompt], params: SamplingParams, stop: Tensor, uniforms: Tensor
    ) -> list[Sample]:
        state = _Batch.prefill(self, rows)
        rooms = self._rooms(rows, params.max_tokens)
        steps = max(rooms)
        tokens = torch.zeros(len(rows), steps, dtype=torch.int64, device=self.device)
        logprobs = torch.zeros(len(rows), steps, device=self.device)
        lengths = torch.tensor(rooms, device=self.device)
        stopped = torch.zeros(len(rows), dtype=torch.bool, device=self.device)
        for step in range(steps):
            chosen, chosen_logprobs = choose(state.logits, params, uniforms[state.rows, step])
            tokens[state.rows, step] = chosen
            logprobs[state.rows, step] = chosen_logprobs
            at_stop = torch.isin(chosen, stop)
            ended = at_stop | (lengths[state.rows] == step + 1)
            if ended.any():
                stopped[state.rows[at_stop]] = True
                lengths[state.rows[ended]] = step + 1
                state.keep(~ended)
                chosen = chosen[~ended]
            if step + 1 == steps or len(chosen) == 0:
                break
            state.advance(chosen)
        return _samples(tokens, logprobs, lengths, stopped)


class _Batch:
    """The rows still being decoded: which they are, their cache, and the logits `[rows, vocab]` that come next."""

    def __init__(
        self,
        decoder: Decoder,
        rows: Tensor,
        cache: DynamicCache,
        attention: Tensor,
        positions: Tensor,
        logits: Tensor,
    ) -> None:
        self._decoder = decoder
        self._cache = cache
        self._positions = positions
        self.rows = rows
        self.attention = attention
        self.logits = logits

    @classmethod
    def prefill(cls, decoder: Decoder, rows: Sequence[Prompt]) -> _Batch:
        """Read each different prompt once, padded on the left, and give every row a copy of its cache."""
        prompts = list(dict.fromkeys(rows))
        tokens, attention = _left_padded(prompts, decoder.device)
        positions = (attention.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=decoder.model.config)  # pyright: ignore[reportArgumentType]
        logits = _logits(decoder, tokens, attention, positions, cache)
        prompt_of_row = {prompt: index for index, prompt in enumerate(prompts)}
        index = torch.tensor([prompt_of_row[row] for row in rows], device=decoder.device)
        batch = cls(
            decoder,
            torch.arange(len(rows), device=decoder.device),
            cache,
            attention,
            positions[:, -1:],
            logits,
        )
        if len(prompts) != len(rows):
            batch._select(index)
        return batch

    def keep(self, going_on: Tensor) -> None:
        """Drop the rows that have ended."""
        self.rows = self.rows[going_on]
        if len(self.rows):
            self._select(going_on.nonzero().squeeze(-1))

    def advance(self, tokens: Tensor) -> None:
        """Read one more token a row."""
        self.attention = torch.cat([self.attention, self.attention.new_ones(len(tokens), 1)], dim=1)
        self._positions = self._positions + 1
        self.logits = _logits(
            self._decoder, tokens.unsqueeze(-1), self.attention, self._positions, self._cache
        )

    def _select(self, index: Tensor) -> None:
        self._cache.batch_select_indices(index)
        self.attention = self.attention[index]
        self._positions = self._positions[index]
        self.logits = self.logits[index]


def _logits(
    decoder: Decoder, tokens: Tensor, attention: Tensor, positions: Tensor, cache: DynamicCache
) -> Tensor:
    """The last position's logits `[batch, vocab]` in float32; the cache grows by `tokens`."""
    with autocast(decoder.device):
        output = decoder.model(
            input_ids=tokens,
            attention_mask=attention,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return output.logits[:, -1].float()


def _left_padded(prompts: Sequence[Prompt], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens and attention mask, both `[batch, seq]`."""
    width = max(map(len, prompts))
    tokens = torch.tensor([(0,) * (width - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([(0,) * (width - len(p)) + (1,) * len(p) for p in prompts], device=device)
    return tokens, mask


def choose(logits: Tensor, params: SamplingParams, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """A token a row and its logprob under the model at temperature 1.

    logits: [rows, vocab]. uniforms: [rows], each decides one row by its place in the cumulative distribution.
    """
    if params.temperature == 0:
        chosen = logits.argmax(-1, keepdim=True)
    else:
        kept = _filtered(logits / params.temperature, params)
        cumulative = kept.softmax(-1).cumsum(-1)
        threshold = uniforms.unsqueeze(-1) * cumulative[:, -1:]
        chosen = torch.searchsorted(cumulative, threshold, right=True)
        chosen = chosen.clamp(max=logits.shape[-1] - 1)
    logprobs = logits.gather(-1, chosen).squeeze(-1) - logits.logsumexp(-1)
    return chosen.squeeze(-1), logprobs


def _filtered(logits: Tensor, params: SamplingParams) -> Tensor:
    """Logits with everything outside top_k, then outside top_p, at minus infinity."""
    if 0 < params.top_k < logits.shape[-1]:
        smallest = logits.topk(params.top_k).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, -torch.inf)
    if params.top_p < 1:
        probabilities, order = logits.softmax(-1).sort(-1, descending=True)
        before = probabilities.cumsum(-1) - probabilities
        outside = torch.zeros_like(before, dtype=torch.bool).scatter(
            -1, order, before >= params.top_p
        )
        logits = logits.masked_fill(outside, -torch.inf)
    return logits


def _samples(tokens: Tensor, logprobs: Tensor, lengths: Tensor, stopped: Tensor) -> list[Sample]:
    if not logprobs.isfinite().all():
        raise PortError(
            "the model gives logprobs that are not finite",
            hint="Training has diverged; go back to a checkpoint and lower learning_rate.",
        )
    all_tokens, all_logprobs = tokens.cpu(), logprobs.cpu().numpy()
    return [
        Sample(
            all_tokens[row, :length].tolist(),
            all_logprobs[row, :length].copy(),
            "stop" if ended else "length",
        )
        for row, (length, ended) in enumerate(zip(lengths.tolist(), stopped.tolist(), strict=True))
    ]
