"""Causal attention that keeps documents apart, and never holds a mask of the whole row.

transformers asks two things of an attention backend: a mask, once a pass, and the attention itself,
once a layer. Ours answers the first with a note, which every layer hands on to the second: where
the documents lie, and how far back the layer looks. Outside of `isolated` (in decoding, say) the
model computes as it did before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from kitchen_core.adapters.torch_local import varlen
from kitchen_core.adapters.torch_local.branches import bias_of
from kitchen_core.adapters.torch_local.documents import Documents, Group
from kitchen_core.train.ports.errors import Unsupported

_PREFIX = "documents_over_"
_BACKENDS = ("sdpa", "eager")
_UNKNOWN = ("s_aux", "position_bias", "head_mask")
"""What a layer may ask for and we don't compute: attention sinks, biases by distance, head masks."""
_BLOCK = 256
"""Queries at a time, where a window or a cap keeps attention from being one fused call."""


@dataclass(frozen=True, slots=True)
class Note:
    """What stands in the place of a mask.

    documents: those of a packed row; None where each row is a document. window: how many tokens a
    query sees, itself included; None: all that came before.
    """

    documents: Documents | None
    window: int | None = None


_in_force: ContextVar[Note | None] = ContextVar("note_in_force", default=None)


@contextmanager
def isolated(documents: Documents | None) -> Iterator[None]:
    """Passes in here attend within `documents` of one packed row; None: within each row."""
    token = _in_force.set(Note(documents))
    try:
        yield
    finally:
        _in_force.reset(token)


def install(model: PreTrainedModel) -> bool:
    """Let the model attend through this module. False where it can't be asked to."""
    backend = str(model.config._attn_implementation).removeprefix(_PREFIX)
    chunked = getattr(model.config.get_text_config(decoder=True), "attention_chunk_size", None)
    if backend not in _BACKENDS or chunked:
        return False
    model.set_attn_implementation(_PREFIX + backend)
    return model.config._attn_implementation == _PREFIX + backend


def uninstall(model: PreTrainedModel) -> None:
    """Undo `install`."""
    backend = str(model.config._attn_implementation).removeprefix(_PREFIX)
    model.set_attn_implementation(backend)


def _mask_over(backend: str) -> Callable[..., Any]:
    usual = ALL_MASK_ATTENTION_FUNCTIONS[backend]

    def mask(*args: Any, local_size: int | None = None, **kwargs: Any) -> Any:
        note = _in_force.get()
        if note is None:
            return usual(*args, local_size=local_size, **kwargs)
        if kwargs.get("use_vmap"):
            raise Unsupported("the model has an attention pattern of its own")
        return replace(note, window=local_size)

    return mask


def _attention_over(backend: str) -> Callable[..., Any]:
    def attention(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, note: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor | None]:
        if isinstance(note, Note):
            return _attend(query, key, value, note, **kwargs), None
        return _usual(backend, module)(module, query, key, value, note, **kwargs)

    return attention


def _usual(backend: str, module: nn.Module) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """The attention under ours. Each of transformers' models has an eager one of its own."""
    if backend == "eager":
        return vars(sys.modules[type(module).__module__])["eager_attention_forward"]
    return ALL_ATTENTION_FUNCTIONS[backend]


for _backend in _BACKENDS:
    AttentionInterface.register(_PREFIX + _backend, _attention_over(_backend))
    AttentionMaskInterface.register(_PREFIX + _backend, _mask_over(_backend))


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    note: Note,
    *,
    scaling: float | None = None,
    softcap: float | None = None,
    **others: Any,
) -> Tensor:
    """`[rows, seq, heads, d]` from `[rows, heads, seq, d]`; keys and values may have fewer heads."""
    asked = [name for name in _UNKNOWN if others.get(name) is not None]
    if asked:
        raise Unsupported(f"the model's attention has {', '.join(asked)}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    documents, window = note.documents, note.window
    if documents is None:
        return _in_rows(query, key, value, window, scale, softcap).transpose(1, 2)
    if not documents.branched and varlen.fits(query, value, softcap):
        return varlen.attend(
            query, key, value, documents, window=window, scale=scale, softcap=softcap
        )
    attended = []
    for group in documents.groups:
        q, k, v = (_to_rows(x, group) for x in (query, key, value))
        if group.branches is None:
            rows = _in_rows(q, k, v, window, scale, softcap)
        else:
            rows = _biased(q, k, v, group.branches.bias(window, q.dtype), scale, softcap)
        attended.append(_from_rows(rows, group))
    return (attended[0] if len(attended) == 1 else torch.cat(attended))[None]


def _to_rows(packed: Tensor, group: Group) -> Tensor:
    """A group's part of `[1, heads, total, d]` as `[documents, heads, longest, d]`."""
    tokens = packed[0].transpose(0, 1)[group.span]  # [tokens, heads, d]
    if group.places is not None:
        tokens = _Spread.apply(tokens, group.places, group.count * group.longest)
    return tokens.unflatten(0, (group.count, group.longest)).transpose(1, 2)


def _from_rows(rows: Tensor, group: Group) -> Tensor:
    """Back to `[tokens, heads, d]`, without the padding."""
    tokens = rows.transpose(1, 2).flatten(0, 1)
    return tokens if group.places is None else _Gather.apply(tokens, group.places)


class _Spread(torch.autograd.Function):
    """`[tokens, ...]` to its places in `[room, ...]`, zeros between. No place is taken twice, so
    that the gradient is a plain selection: index_add is slow.
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, places: Tensor, room: int) -> Tensor:
        ctx.places = places
        return tokens.new_zeros(room, *tokens.shape[1:]).index_copy_(0, places, tokens)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0].index_select(0, ctx.places), None, None


class _Gather(torch.autograd.Function):
    """The other way: `[room, ...]` at `places`."""

    @staticmethod
    def forward(ctx: Any, spread: Tensor, places: Tensor) -> Tensor:
        ctx.places, ctx.room = places, len(spread)
        return spread.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        room = gradient.new_zeros(ctx.room, *gradient.shape[1:])
        return room.index_copy_(0, ctx.places, gradient), None


def _in_rows(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    window: int | None,
    scale: float,
    softcap: float | None,
) -> Tensor:
    """Causal attention of each row `[rows, heads, seq, d]`. Padding on the right is never seen."""
    seq = query.shape[2]
    if softcap is None and (window is None or window >= seq):
        grouped = query.shape[1] != key.shape[1]
        return scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=grouped
        )
    key, value = _all_heads(key, query), _all_heads(value, query)
    blocks = []
    for start in range(0, seq, _BLOCK):
        end = min(start + _BLOCK, seq)
        first = 0 if window is None else max(0, start - window + 1)
        seen = slice(first, end)
        bias = bias_of(_band(start, end, first, window, query.device), query.dtype)
        blocks.append(
            _biased(
                query[:, :, start:end], key[:, :, seen], value[:, :, seen], bias, scale, softcap
            )
        )
    return torch.cat(blocks, dim=2)


def _all_heads(shared: Tensor, query: Tensor) -> Tensor:
    """Keys or values with a head for each of the query's."""
    each = query.shape[1] // shared.shape[1]
    return shared if each == 1 else shared.repeat_interleave(each, dim=1)


def _band(start: int, end: int, first: int, window: int | None, device: torch.device) -> Tensor:
    """Which of the keys `first:end` each of the queries `start:end` sees, as booleans."""
    back = torch.arange(start, end, device=device)[:, None] - torch.arange(
        first, end, device=device
    )
    return (back >= 0) if window is None else (back >= 0) & (back < window)


def _biased(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, softcap: float | None
) -> Tensor:
    """Attention `[rows, heads, seq, d]` with a bias `[..., seq, keys]` on the scores."""
    if softcap is None:
        grouped = query.shape[1] != key.shape[1]
        return scaled_dot_product_attention(
            query, key, value, attn_mask=bias, scale=scale, enable_gqa=grouped
        )
    key, value = _all_heads(key, query), _all_heads(value, query)
    scores = query @ key.transpose(-1, -2) * scale
    capped = softcap * torch.tanh(scores / softcap)
    wide = torch.promote_types(capped.dtype, torch.float32)
    shares = (capped + bias).softmax(-1, dtype=wide)
    return shares.to(value.dtype) @ value
