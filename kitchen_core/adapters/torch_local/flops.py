"""How much arithmetic a pass takes, for the share of the device's peak that is used (MFU).

PaLM's count (Chowdhery et al. 2022, appendix B): 6 N + 12 L h d T a trained token, of which a third
is the forward pass. T is the length of the token's own document, or a layer's window where that
is shorter; nothing is taken off for causality. Refinements, so that no work is counted that
is not done: the output layer counts once a prediction, and an embedding table not at all; and a
frozen weight has no gradient of its own, so it takes 4 N instead of 6 N (LoRA). What gradient
checkpointing computes twice counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from kitchen_core.adapters.torch_local.parts import causal_model


@dataclass(frozen=True, slots=True)
class Flops:
    """The weights that a token, and a prediction, is multiplied with; and the layers' attention.

    attention: heads x head size of each layer, and its window.
    """

    body: _Weights
    head: _Weights
    attention: tuple[tuple[float, int | None], ...]

    @classmethod
    def of(cls, model: nn.Module) -> Flops:
        """The count for a model as it is now, with the adapter that it has."""
        causal = causal_model(model)
        head = causal.get_output_embeddings()
        tables = [m for m in causal.modules() if isinstance(m, nn.Embedding)]
        apart = {id(p) for module in (head, *tables) if module for p in module.parameters()}
        share = _active_share(causal)
        body = _Weights()
        for name, p in causal.named_parameters():
            if id(p) not in apart:
                body.add(p, share if ".experts." in name else 1.0)
        of_head = _Weights()
        for p in head.parameters() if head else ():
            of_head.add(p)
        return cls(body, of_head, _attention(causal))

    def training(
        self, lengths: Sequence[int], predictions: int, shared: Sequence[int] = ()
    ) -> float:
        """Forward and backward over documents of `lengths` tokens, `predictions` of them scored.

        shared: how many first tokens of each were read with another; none where it is left out.
        """
        read = self.body.training * (sum(lengths) - sum(shared))
        return read + self.head.training * predictions + 3 * self._attended(lengths, shared)

    def forward(
        self, lengths: Sequence[int], predictions: int, shared: Sequence[int] = ()
    ) -> float:
        """Without the backward pass."""
        read = self.body.forward * (sum(lengths) - sum(shared))
        return read + self.head.forward * predictions + self._attended(lengths, shared)

    @property
    def pairs_a_token(self) -> float:
        """So many pairs of a query and a key take as much as a token does in the rest of the body; 0
        where attention is not counted.
        """
        pair = sum(4 * width for width, _ in self.attention)
        return self.body.forward / pair if pair else 0.0

    def _attended(self, lengths: Sequence[int], shared: Sequence[int]) -> float:
        shared = shared or (0,) * len(lengths)
        return sum(
            4 * width * (length - first) * min(length, window or length)
            for width, window in self.attention
            for length, first in zip(lengths, shared, strict=True)
        )


@dataclass(slots=True)
class _Weights:
    """Numbers that one token is multiplied with."""

    trained: float = 0.0
    frozen: float = 0.0

    def add(self, parameter: nn.Parameter, share: float = 1.0) -> None:
        if parameter.requires_grad:
            self.trained += share * parameter.numel()
        else:
            self.frozen += share * parameter.numel()

    @property
    def forward(self) -> float:
        return 2 * (self.trained + self.frozen)

    @property
    def training(self) -> float:
        return 6 * self.trained + 4 * self.frozen


def _active_share(causal: PreTrainedModel) -> float:
    """How many of a mixture's experts see a token."""
    config = causal.config.get_text_config(decoder=True)
    experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    chosen = getattr(config, "num_experts_per_tok", None)
    return chosen / experts if experts and chosen else 1.0


def _attention(causal: PreTrainedModel) -> tuple[tuple[float, int | None], ...]:
    """Heads x head size of each layer, and its window."""
    config = causal.config.get_text_config(decoder=True)
    heads = getattr(config, "num_attention_heads", None)
    if heads is None:  # a recurrent model
        return ()
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    layers = config.num_hidden_layers
    kinds = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)
    if kinds is None:
        return ((width, window),) * layers
    return tuple(
        (width, window if kind == "sliding_attention" else None)
        for kind in kinds
        if kind.endswith("attention") and kind != "linear_attention"
    )
