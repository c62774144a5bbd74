"""How a model reads the rows that are being decoded: prompts first, then a token a row at a time.

This is the way that every model knows: its own forward pass with transformers' growing cache.
`llama` has a faster one for the models that it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from kitchen_core.adapters.torch_local.device import autocast

Prompt = tuple[int, ...]


class RowsUnderWay(Protocol):
    """Rows being decoded. `logits`: [rows, vocab] what may come next in each, in float32."""

    logits: Tensor

    def advance(self, tokens: Tensor) -> None:
        """Read one more token a row: `[rows]`."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone, by their indices `[kept]`."""
        ...


class Incremental(Protocol):
    """A model that reads."""

    def start(self, rows: Sequence[Prompt], max_tokens: int) -> RowsUnderWay:
        """Read the rows' prompts, each different one once. max_tokens: how many more may come."""
        ...


@dataclass(frozen=True)
class Prompts:
    """The different prompts of some rows, padded on the left.

    tokens, attention (True where there is a token), positions: [prompts, width]. of_row: [rows] which
    prompt each row has; None where each has its own, in order.
    """

    tokens: Tensor
    attention: Tensor
    positions: Tensor
    of_row: Tensor | None
    padded: bool

    @classmethod
    def of(cls, rows: Sequence[Prompt], device: torch.device) -> Prompts:
        """What there is to read for these rows."""
        index_of = {prompt: index for index, prompt in enumerate(dict.fromkeys(rows))}
        width = max(map(len, index_of))
        gaps = [width - len(prompt) for prompt in index_of]
        tokens = [(0,) * gap + prompt for gap, prompt in zip(gaps, index_of, strict=True)]
        places = torch.arange(width).expand(len(gaps), -1) - torch.tensor(gaps)[:, None]
        return cls(
            torch.tensor(tokens, device=device),
            (places >= 0).to(device),
            places.clamp(min=0).to(device),
            None
            if len(index_of) == len(rows)
            else torch.tensor([index_of[row] for row in rows], device=device),
            padded=any(gaps),
        )


@dataclass(frozen=True)
class ForwardPass:
    """Any causal language model of transformers, by its forward pass."""

    model: nn.Module
    device: torch.device

    def start(self, rows: Sequence[Prompt], max_tokens: int) -> RowsUnderWay:
        """Read the rows' prompts, each different one once."""
        return _ForwardRows(self, Prompts.of(rows, self.device))


class _ForwardRows:
    def __init__(self, model: ForwardPass, prompts: Prompts) -> None:
        self._model = model
        self._cache = DynamicCache(config=model.model.config)  # pyright: ignore[reportArgumentType]
        self._attention = prompts.attention
        self._positions = prompts.positions
        self.logits = self._read(prompts.tokens)
        self._positions = self._positions[:, -1:]
        if prompts.of_row is not None:
            self.keep(prompts.of_row)

    def advance(self, tokens: Tensor) -> None:
        ones = self._attention.new_ones(len(tokens), 1)
        self._attention = torch.cat([self._attention, ones], dim=1)
        self._positions = self._positions + 1
        self.logits = self._read(tokens.unsqueeze(-1))

    def keep(self, rows: Tensor) -> None:
        self._cache.batch_select_indices(rows)
        self._attention = self._attention[rows]
        self._positions = self._positions[rows]
        self.logits = self.logits[rows]

    def _read(self, tokens: Tensor) -> Tensor:
        """The last position's logits; the cache grows by `tokens`."""
        with autocast(self._model.device):
            output = self._model.model(
                input_ids=tokens,
                attention_mask=self._attention.long(),
                position_ids=self._positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return output.logits[:, -1].float()
