"""Variable-length attention on a GPU: one fused call over all documents of a packed row.

torch's own comes first; flash-attn's, where it is installed, knows logit caps as well.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.documents import Documents

_MAX_HEAD_DIM = 256
"""The widest head that flash attention computes."""


def fits(query: Tensor, value: Tensor, softcap: float | None) -> bool:
    """Whether a fused kernel knows this attention; queries and values `[1, heads, total, d]`.

    Their backward passes add up in any order, so a deterministic run does without.
    """
    return (
        query.is_cuda
        and not torch.are_deterministic_algorithms_enabled()
        and _compute_dtype(query) in (torch.bfloat16, torch.float16)
        and query.shape[-1] == value.shape[-1] <= _MAX_HEAD_DIM
        and (softcap is None or _flash_attn() is not None)
    )


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    documents: Documents,
    *,
    window: int | None,
    scale: float,
    softcap: float | None,
) -> Tensor:
    """Causal attention within each document: `[1, total, heads, d]` from `[1, heads, total, d]`.

    window: how many tokens a query sees, itself included.
    """
    dtype = _compute_dtype(query)
    q, k, v = (x[0].transpose(0, 1).to(dtype) for x in (query, key, value))  # [total, heads, d]
    bounds, longest = documents.bounds, documents.longest
    back = -1 if window is None else window - 1
    capped = None if softcap is None else _flash_attn()
    if capped is not None:
        return capped(
            *(q, k, v, bounds, bounds, longest, longest),
            softmax_scale=scale,
            causal=True,
            window_size=(back, -1 if window is None else 0),
            softcap=softcap,
        )[None]
    from torch.nn.attention.varlen import varlen_attn

    attended = varlen_attn(
        *(q, k, v, bounds, bounds, longest, longest),
        scale=scale,
        window_size=(back, 0),
        enable_gqa=k.shape[1] != q.shape[1],
    )
    return attended[None]  # pyright: ignore - a tensor, as no more is asked for


def _compute_dtype(query: Tensor) -> torch.dtype:
    """What autocast would compute in: rotary positions may have widened the queries."""
    if torch.is_autocast_enabled(query.device.type):
        return torch.get_autocast_dtype(query.device.type)
    return query.dtype


@cache
def _flash_attn() -> Callable[..., Tensor] | None:
    try:
        return importlib.import_module("flash_attn").flash_attn_varlen_func
    except ImportError:
        return None
