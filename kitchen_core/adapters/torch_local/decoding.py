"""The decode loop: a batch of prompts in, completions with logprobs out.

Each completion has a row of uniform numbers of its own, drawn in order from the call's seed. So
what is sampled does not depend on how completions are batched, nor on which of them end first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from kitchen_core.adapters.completion_text import Drawn, StopTexts, stop_tokens
from kitchen_core.adapters.torch_local.choosing import choose
from kitchen_core.adapters.torch_local.incremental import Incremental, Prompt
from kitchen_core.adapters.torch_local.trusted import incremental_of
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.types import Sample, SamplingParams


@dataclass(frozen=True)
class Decoder:
    """Decodes with one model, `batch_size` completions at a time."""

    model: nn.Module
    device: torch.device
    batch_size: int
    max_length: int
    tokenizer: HuggingFaceTokenizer

    def complete(self, rows: Sequence[Prompt], params: SamplingParams) -> Iterator[Sample]:
        """One completion a row, in order. A prompt that appears in several rows is read once a batch."""
        generator = torch.Generator().manual_seed(params.seed)
        for start in range(0, len(rows), self.batch_size):
            yield from self._decode(rows[start : start + self.batch_size], params, generator)

    def draw(self, prompt: Prompt, params: SamplingParams) -> Iterator[Drawn]:
        """The tokens of the completion that `complete` gives for this prompt alone, one by one."""
        generator = torch.Generator().manual_seed(params.seed)
        for step in self._steps([prompt], params, generator):
            _check_finite(step.logprobs)
            reason = "stop" if step.stopped else "length" if step.ended else None
            yield int(step.tokens), float(step.logprobs), reason

    def _decode(
        self, rows: Sequence[Prompt], params: SamplingParams, generator: torch.Generator
    ) -> list[Sample]:
        longest = max(self._rooms(rows, params.max_tokens))
        tokens = torch.zeros(len(rows), longest, dtype=torch.int64, device=self.device)
        logprobs = torch.zeros(len(rows), longest, device=self.device)
        lengths = torch.zeros(len(rows), dtype=torch.int64, device=self.device)
        stopped = torch.zeros(len(rows), dtype=torch.bool, device=self.device)
        for at, step in enumerate(self._steps(rows, params, generator)):
            tokens[step.rows, at] = step.tokens
            logprobs[step.rows, at] = step.logprobs
            if step.any_ended:
                lengths[step.rows[step.ended]] = at + 1
                stopped[step.rows[step.stopped]] = True
        _check_finite(logprobs)
        return _samples(tokens, logprobs, lengths, stopped)

    @torch.no_grad()
    def _steps(
        self, rows: Sequence[Prompt], params: SamplingParams, generator: torch.Generator
    ) -> Iterator[_Step]:
        """A token more for every row that has not ended, until all have."""
        longest = min(params.max_tokens, self.max_length)  # the same for every batch of a call
        uniforms = torch.rand(len(rows), longest, generator=generator).to(self.device)
        rooms = torch.tensor(self._rooms(rows, params.max_tokens), device=self.device)
        ends = _Ends(self, len(rows), params)
        left = torch.arange(len(rows), device=self.device)
        under_way = self._model.start(rows, longest)
        for at in range(longest):
            chosen, logprobs = choose(under_way.logits, params, uniforms[left, at])
            stopped = ends.reached(left, chosen)
            ended = stopped | (rooms[left] == at + 1)
            any_ended = bool(ended.any())
            yield _Step(left, chosen, logprobs, stopped, ended, any_ended)
            if any_ended:
                going_on = (~ended).nonzero().squeeze(-1)
                if len(going_on) == 0:
                    return
                left, chosen = left[going_on], chosen[going_on]
                under_way.keep(going_on)
            under_way.advance(chosen)

    @cached_property
    def _model(self) -> Incremental:
        """Found when it is first needed: not every session samples."""
        return incremental_of(self.model, self.device)

    def _rooms(self, rows: Sequence[Prompt], max_tokens: int) -> list[int]:
        """How many tokens each row may get: what its prompt leaves of the context, at least one."""
        return [max(1, min(max_tokens, self.max_length - len(row))) for row in rows]


@dataclass(frozen=True)
class _Step:
    """The next token of each row still being decoded, all `[rows]`. stopped: the row has come to a
    stop; ended: it has, or its room is full.
    """

    rows: Tensor
    tokens: Tensor
    logprobs: Tensor
    stopped: Tensor
    ended: Tensor
    any_ended: bool


class _Ends:
    """What ends the rows of a batch: stop tokens, and stop texts where there are any."""

    def __init__(self, decoder: Decoder, rows: int, params: SamplingParams) -> None:
        tokens = stop_tokens(params, decoder.tokenizer.eos_token_ids)
        self._tokens = torch.tensor(tokens, dtype=torch.int64, device=decoder.device)
        self._texts = [
            StopTexts(params.stop_texts, decoder.tokenizer.decode)
            for _ in range(rows if params.stop_texts else 0)
        ]

    def reached(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """Which of the rows `[rows]` stop with the token chosen for them."""
        at_token = torch.isin(chosen, self._tokens)
        if not self._texts:
            return at_token
        at_text = [
            self._texts[row].completed_by(token)
            for row, token in zip(rows.tolist(), chosen.tolist(), strict=True)
        ]
        return at_token | torch.tensor(at_text, device=chosen.device)


def _check_finite(logprobs: Tensor) -> None:
    if not logprobs.isfinite().all():
        raise PortError(
            "the model gives logprobs that are not finite",
            hint="Training has diverged; go back to a checkpoint and lower learning_rate.",
        )


def _samples(tokens: Tensor, logprobs: Tensor, lengths: Tensor, stopped: Tensor) -> list[Sample]:
    all_tokens, all_logprobs = tokens.cpu(), logprobs.cpu().numpy()
    return [
        Sample(
            all_tokens[row, :length].tolist(),
            all_logprobs[row, :length].copy(),
            "stop" if ended else "length",
        )
        for row, (length, ended) in enumerate(zip(lengths.tolist(), stopped.tolist(), strict=True))
    ]
