"""How a causal language model is built, in numbers, from its config.json: enough to say what it weighs
and what a token costs, before its weights are here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "intermediate": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"),
    "vocab": ("vocab_size",),
}
"""What families call the same thing."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder of `layers` equal layers: attention, then an MLP with a gate.

    hidden: width of the residual stream. heads, kv_heads, head_dim: of the queries, and of keys and
    values. intermediate: width of the MLP, of one expert in a mixture of `experts`, `experts_used` of
    which see a token. tied: embedding and output layer are one. num_parameters: as stored, where that
    is known, else by the shapes. stored_bytes: of the weight files, None where they are not here.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool
    experts: int = 1
    experts_used: int = 1
    num_parameters: int = 0
    stored_bytes: int | None = None

    @property
    def query_width(self) -> int:
        """Heads x head size."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """The same of the keys, and of the values."""
        return self.kv_heads * self.head_dim

    @property
    def embedding(self) -> int:
        """Weights of the embedding table, as of the output layer: vocab x hidden."""
        return self.vocab * self.hidden

    @property
    def modules(self) -> dict[str, tuple[int, int]]:
        """The linear modules of a layer that an adapter can be put on: `{name: (in, out)}`. Experts are
        kept in one tensor and get none.
        """
        attention = {
            "q_proj": (self.hidden, self.query_width),
            "k_proj": (self.hidden, self.kv_width),
            "v_proj": (self.hidden, self.kv_width),
            "o_proj": (self.query_width, self.hidden),
        }
        if self.experts > 1:
            return attention
        return attention | {
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def body(self) -> int:
        """Weights of the layers' matrices."""
        return self.layers * (self._attention + self.experts * self._mlp)

    @property
    def body_of_a_token(self) -> int:
        """Those of them that one token is multiplied with."""
        return self.layers * (self._attention + self.experts_used * self._mlp)

    def by_shapes(self) -> int:
        """All weights: embedding, layers with two norms each, the last norm, and an output layer where it is
        not the embedding.
        """
        tables = self.embedding * (1 if self.tied else 2)
        norms = (2 * self.layers + 1) * self.hidden
        router = self.layers * self.experts * self.hidden if self.experts > 1 else 0
        return tables + self.body + norms + router

    def lora_parameters(self, rank: int, targets: Sequence[str] = ()) -> int:
        """Weights of an adapter: rank x (in + out) for each module (Hu et al. 2021). targets: the modules'
        names; none: all linear ones but the output layer.
        """
        sizes = {name: self.layers * sum(ends) for name, ends in self.modules.items()}
        sizes |= dict.fromkeys(("embed_tokens", "lm_head"), self.vocab + self.hidden)
        named = targets or self.modules
        return rank * sum(sizes.get(name, 0) for name in named)

    @property
    def _attention(self) -> int:
        return 2 * self.hidden * (self.query_width + self.kv_width)

    @property
    def _mlp(self) -> int:
        return 3 * self.hidden * self.intermediate


def shape_of(
    config: Mapping[str, Any], num_parameters: int | None = None, stored_bytes: int | None = None
) -> ModelShape | None:
    """The shape that a config.json describes; a model of several modalities keeps it under `text_config`.
    None where it leaves something out that has to be known.
    """
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, Mapping) else config
    known = {name: _whole(text, *names) for name, names in _SYNONYMS.items()}
    layers, hidden, heads = known["layers"], known["hidden"], known["heads"]
    vocab = known["vocab"]
    if not (layers and hidden and heads and vocab):
        return None
    experts = _whole(text, "num_local_experts", "num_experts", "n_routed_experts") or 1
    width = _whole(text, "moe_intermediate_size") if experts > 1 else None
    shape = ModelShape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=_whole(text, "num_key_value_heads") or heads,
        head_dim=_whole(text, "head_dim") or hidden // heads,
        intermediate=width or known["intermediate"] or 4 * hidden,
        vocab=vocab,
        tied=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        experts=experts,
        experts_used=_whole(text, "num_experts_per_tok") or 1,
        stored_bytes=stored_bytes,
    )
    return replace(shape, num_parameters=num_parameters or shape.by_shapes())


def _whole(config: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None
