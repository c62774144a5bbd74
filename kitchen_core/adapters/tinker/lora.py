"""Which adapters the service trains, and what it trains nothing by: seen in a config, without asking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kitchen_core.train.ports.errors import Unsupported
from kitchen_core.train.types import LoraSpec

ALPHA = 32
"""The alpha of every adapter at the service."""

_PARTS = {
    "attn": frozenset({"q_proj", "k_proj", "v_proj", "o_proj"}),
    "mlp": frozenset({"gate_proj", "up_proj", "down_proj"}),
    "unembed": frozenset({"lm_head"}),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a model that an adapter reaches."""

    train_attn: bool
    train_mlp: bool
    train_unembed: bool


def parts_of(spec: LoraSpec, *, train_unembed: bool) -> Parts:
    """An adapter's targets in the service's terms. train_unembed: whether `all-linear` reaches the output
    layer. Raises Unsupported where the service has no such adapter.
    """
    if spec.alpha != ALPHA:
        raise Unsupported(
            f"lora_alpha is {spec.alpha}, at Tinker it is {ALPHA}", hint=f"Set lora_alpha={ALPHA}."
        )
    if spec.targets == "all-linear":
        return Parts(train_attn=True, train_mlp=True, train_unembed=train_unembed)
    asked = set(spec.targets)
    chosen = {name: modules <= asked for name, modules in _PARTS.items()}
    covered = {m for name, modules in _PARTS.items() if chosen[name] for m in modules}
    if not asked or covered != asked:
        groups = ["+".join(sorted(modules)) for modules in _PARTS.values()]
        raise Unsupported(
            f"Tinker has no adapters of {', '.join(sorted(asked - covered)) or 'nothing'} alone",
            hint=f"Take all-linear, or whole groups: {'; '.join(groups)}.",
        )
    return Parts(chosen["attn"], chosen["mlp"], chosen["unembed"])


def no_divergence() -> Unsupported:
    """Why the exact divergence can't be had."""
    return Unsupported(
        "Tinker gives no logits, so there is no exact divergence", hint="Set kl=sampled."
    )


def check_config(config: Mapping[str, Any]) -> None:
    """Raises Unsupported for a run's config that no server of this protocol can train by."""
    if config["lora_rank"]:
        targets = tuple(config["lora_targets"] or ()) or "all-linear"
        parts_of(LoraSpec(config["lora_rank"], config["lora_alpha"], targets), train_unembed=True)
    if config.get("kl") == "exact":
        raise no_divergence()
