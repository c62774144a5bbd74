"""A decoder of our own for the Llama family: RMS norms, rotary positions, grouped queries, a gated MLP.

It computes with the model's own weights what the model's forward pass computes, and nothing around
it: keys and values are written into room that is there already, and rotated in three operations. A
model is tried before it is trusted (`trusted`); one that is built in another way is read by its
forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

from kitchen_core.adapters.torch_local.device import autocast
from kitchen_core.adapters.torch_local.incremental import (
    Prompt,
    Prompts,
    RowsUnderWay,
)
from kitchen_core.adapters.torch_local.parts import causal_model

_ROOM = 64
"""How many tokens a cache has room for beyond its prompts, at most; a full one doubles."""

_UNSEEN = -1e9
"""Added to a score it leaves nothing of it, and padding that sees nothing still has numbers."""

_Apply = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Llama:
    """A model of the Llama family."""

    model: nn.Module
    device: torch.device

    def start(self, rows: Sequence[Prompt], max_tokens: int) -> RowsUnderWay:
        """Read the rows' prompts, each different one once."""
        prompts = Prompts.of(rows, self.device)
        under_way = _LlamaRows(causal_model(self.model), prompts, max_tokens)
        if prompts.of_row is not None:
            under_way.keep(prompts.of_row)
        return under_way


class _LlamaRows:
    """Rows under way. The weights are looked up anew for each batch: they change in training, and a
    sampler may have put others in their places.
    """

    def __init__(self, causal: Any, prompts: Prompts, max_tokens: int) -> None:
        self._device = prompts.tokens.device
        self._embed = causal.model.embed_tokens
        self._rotary = causal.model.rotary_emb
        self._layers = [_Layer.of(layer) for layer in causal.model.layers]
        self._norm, self._head = _norm(causal.model.norm), _projection(causal.lm_head)
        self._length = prompts.tokens.shape[1]
        room = self._length + min(max_tokens, _ROOM)
        self._caches = [_Cache(room) for _ in self._layers]
        self._angles = self._angles_of(room)
        self._positions = prompts.positions[:, -1]
        self._unseen = ~prompts.attention * _UNSEEN if prompts.padded else None
        self.logits = self._read(prompts.tokens, prompts.positions, self._unseen_by_prompts())

    def advance(self, tokens: Tensor) -> None:
        self._length += 1
        if self._length > self._angles.shape[1]:
            self._angles = self._angles_of(2 * self._length)
        self._positions = self._positions + 1
        unseen = None
        if self._unseen is not None:
            self._unseen = F.pad(self._unseen, (0, 1))
            unseen = self._unseen[:, None, None]
        self.logits = self._read(tokens[:, None], self._positions[:, None], unseen)

    def keep(self, rows: Tensor) -> None:
        for cache in self._caches:
            cache.keep(rows)
        self._positions = self._positions[rows]
        self.logits = self.logits[rows]
        if self._unseen is not None:
            self._unseen = self._unseen[rows]

    def _unseen_by_prompts(self) -> Tensor | None:
        """What is added to the prompts' scores, `[prompts, 1, width, width]`; None: they are causal only."""
        if self._unseen is None:
            return None
        ahead = self._unseen.new_full((self._length, self._length), _UNSEEN).triu(1)
        return self._unseen[:, None, None] + ahead

    def _angles_of(self, count: int) -> Tensor:
        """Cosine and sine of the first positions, `[2, count, head_dim]`, the sine as `_rotated` takes it."""
        every = torch.arange(count, device=self._device)[None]
        [cosine], [sine] = self._rotary(self._embed.weight, every)
        first, second = sine.chunk(2, -1)
        return torch.stack([cosine, torch.cat([-first, second], -1)])

    def _read(self, tokens: Tensor, positions: Tensor, unseen: Tensor | None) -> Tensor:
        """The last position's logits; the caches grow by tokens `[rows, seq]`."""
        with autocast(self._device):
            hidden = self._embed(tokens)
            angles = self._angles[:, positions, None]  # [2, rows, seq, 1, head_dim]
            for layer, cache in zip(self._layers, self._caches, strict=True):
                hidden = layer.read(hidden, angles, cache, unseen)
            return self._head(self._norm(hidden[:, -1])).float()


class _Cache:
    """What a layer has read: keys and values `[rows, kv_heads, length, head_dim]`, and room for more."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._length = 0
        self._held: Tensor | None = None  # [2, rows, kv_heads, room, head_dim]

    def add(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values, these after those that were there."""
        start, self._length = self._length, self._length + keys.shape[2]
        held = self._with_room(keys)
        held[0, :, :, start : self._length] = keys
        held[1, :, :, start : self._length] = values
        return held[0, :, :, : self._length], held[1, :, :, : self._length]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        assert self._held is not None
        self._held = self._held.index_select(1, rows)

    def _with_room(self, keys: Tensor) -> Tensor:
        if self._held is None:
            rows, heads, _, size = keys.shape
            self._held = keys.new_zeros(2, rows, heads, max(self._room, self._length), size)
        elif self._length > self._held.shape[3]:
            self._held = F.pad(self._held, (0, 0, 0, self._length))
        return self._held


@dataclass(frozen=True)
class _Layer:
    """What a layer computes with."""

    before_attention: _Apply
    queries: _Apply
    keys: _Apply
    values: _Apply
    query_norm: _Apply | None
    key_norm: _Apply | None
    out: _Apply
    before_mlp: _Apply
    gate: _Apply
    up: _Apply
    act: _Apply
    down: _Apply
    head_dim: int
    scale: float

    @classmethod
    def of(cls, layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        head_norms = hasattr(attention, "q_norm")  # Qwen3
        return cls(
            _norm(layer.input_layernorm),
            _projection(attention.q_proj),
            _projection(attention.k_proj),
            _projection(attention.v_proj),
            _norm(attention.q_norm) if head_norms else None,
            _norm(attention.k_norm) if head_norms else None,
            _projection(attention.o_proj),
            _norm(layer.post_attention_layernorm),
            _projection(mlp.gate_proj),
            _projection(mlp.up_proj),
            mlp.act_fn,
            _projection(mlp.down_proj),
            attention.head_dim,
            attention.scaling,
        )

    def read(self, hidden: Tensor, angles: Tensor, cache: _Cache, unseen: Tensor | None) -> Tensor:
        """The hidden states after this layer, `[rows, seq, hidden]`."""
        hidden = hidden + self._attend(self.before_attention(hidden), angles, cache, unseen)
        normed = self.before_mlp(hidden)
        return hidden + self.down(self.act(self.gate(normed)) * self.up(normed))

    def _attend(
        self, hidden: Tensor, angles: Tensor, cache: _Cache, unseen: Tensor | None
    ) -> Tensor:
        heads = (*hidden.shape[:2], -1, self.head_dim)
        query, key = self.queries(hidden).view(heads), self.keys(hidden).view(heads)
        if self.query_norm is not None and self.key_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        query, key = (_rotated(each, angles).transpose(1, 2) for each in (query, key))
        value = self.values(hidden).view(heads).transpose(1, 2)
        keys, values = cache.add(key.to(value.dtype), value)
        attended = F.scaled_dot_product_attention(
            query.to(value.dtype),
            keys,
            values,
            attn_mask=None if unseen is None else unseen.to(value.dtype),
            is_causal=unseen is None and hidden.shape[1] > 1,
            scale=self.scale,
            enable_gqa=query.shape[1] != keys.shape[1],
        )
        return self.out(attended.transpose(1, 2).flatten(2))


def _rotated(heads: Tensor, angles: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021) for `[rows, seq, heads, head_dim]`: the halves of a head are
    pairs, turned by `angles` [2, rows, seq, 1, head_dim], of which the sine is negative in its first half.
    """
    cosine, sine = angles
    return torch.addcmul(heads * cosine, heads.roll(heads.shape[-1] // 2, -1), sine)


def _norm(module: nn.Module) -> _Apply:
    """An RMS norm in one operation."""
    weight, epsilon = module.weight, module.variance_epsilon
    return partial(F.rms_norm, normalized_shape=weight.shape, weight=weight, eps=epsilon)  # pyright: ignore


def _projection(module: nn.Module) -> _Apply:
    """A linear layer. A plain adapter is folded into a copy of its weight, for many small steps cost
    more than one sum; in bfloat16 that sum would lose what little an adapter adds, and it is not.
    """
    if not isinstance(module, LoraLinear):
        return module
    base: Any = module.get_base_layer()
    if module.disable_adapters:
        return base
    plain = (
        isinstance(base, nn.Linear) and not module.lora_variant and base.weight.dtype.itemsize >= 4
    )
    if not plain or any(module.lora_bias.values()):
        return module
    weight = base.weight + sum(module.get_delta_weight(name) for name in module.active_adapters)
    return partial(F.linear, weight=weight, bias=base.bias)
