"""What a pass keeps for its way back, and what it holds on the way there.

Counted tensor by tensor over a layer of the Llama family, of width h, with queries q and keys and values
kv wide, and an MLP of width i (as Korthikanti et al. 2022 do for another layer): each norm keeps its
input and its output, and, where its weight is trained, what it multiplies with that; attention keeps
queries, keys, values and its result; the MLP its gate, that activated, the other factor, and the product.
So 6 h + 2 q + 2 kv + 4 i numbers a token, and with an adapter of rank r on seven modules 4 h + 2 q + 2 kv
+ 4 i + 7 r.
"""

from __future__ import annotations

from kitchen_core.train.model_shape import ModelShape
from kitchen_core.train.workload import Documents, Method

_PADDING = 1.2
"""Rows of documents of mixed lengths, over their tokens: neighbours of similar length share a row's width."""


def saved_bytes(model: ModelShape, method: Method, documents: Documents, tokens: float) -> int:
    """What all layers keep of a pass over so many tokens. With gradient checkpointing each layer keeps its
    input, and one at a time the rest.
    """
    layer = _layer_bytes(model, method, mixed=documents.spread > 0)
    last = 2 * model.hidden * 4
    if method.gradient_checkpointing:
        kept = model.layers * model.hidden * _residual(method) + layer + last
    else:
        kept = model.layers * layer + last
    return int(tokens * kept) + _cast_bytes(model, method)


def forward_bytes(model: ModelShape, method: Method, tokens: float) -> int:
    """The most that a pass without a gradient holds: the residual stream twice, and the widest of a layer's
    attention and MLP.
    """
    experts = model.experts_used
    widest = max(2 * model.query_width + 2 * model.kv_width, 3 * model.intermediate * experts)
    number = 4 if method.device == "cpu" else 2
    return int(tokens * (3 * model.hidden + widest) * number)


def _layer_bytes(model: ModelShape, method: Method, *, mixed: bool) -> float:
    lora = bool(method.lora_rank)
    norms, attention = _norm_bytes(model, lora, method.device), _attention_numbers(model)
    mlp = 4 * model.intermediate * model.experts_used
    adapter = method.lora_rank * len(method.lora_targets or model.modules)
    number = 4 if method.device == "cpu" else 2
    if mixed and method.device == "cpu":  # laid apart into rows, and together again
        attention = _PADDING * attention + model.query_width
    return norms + number * (attention + mlp + adapter)


def _norm_bytes(model: ModelShape, lora: bool, device: str) -> int:
    """Of both norms of a layer; on a GPU they compute in float32, and give bfloat16 on to the matrices."""
    if device == "cuda":
        return 2 * model.hidden * (4 + 2 + (0 if lora else 4))
    return 2 * model.hidden * 4 * (2 if lora else 3)


def _attention_numbers(model: ModelShape) -> float:
    return 2 * model.query_width + 2 * model.kv_width


def _residual(method: Method) -> int:
    return 2 if method.device == "cuda" and method.lora_rank else 4


def _cast_bytes(model: ModelShape, method: Method) -> int:
    """On a GPU trained weights are kept in bfloat16 as well, from the way there to the way back."""
    return 2 * model.num_parameters if method.device == "cuda" and not method.lora_rank else 0
