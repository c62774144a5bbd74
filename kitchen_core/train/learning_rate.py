"""A learning rate to begin with, from the model alone."""

from __future__ import annotations

from kitchen_core.train.model_folder import ModelFacts

BASE = 5e-5
"""For full fine-tuning at the reference width."""

LORA_FACTOR = 10.0
"""An adapter wants ten times the rate of full fine-tuning ("LoRA Without Regret")."""

REFERENCE_WIDTH = 2000
WIDTH_EXPONENTS = {"llama": 0.781, "qwen": 0.0775}
"""How steeply the best rate falls with the width, by the beginning of `model_type`."""


def suggested_learning_rate(facts: ModelFacts, *, lora: bool) -> float | None:
    """5e-5, tenfold for LoRA, times (2000 / hidden size) to the family's exponent; None where no
    sweep has measured the family.

    This is tinker-cookbook's `get_lr`, whose exponents were fitted to Llama and Qwen models of 2048
    to 8192 wide. The family is what the architecture says, so that a model of another name which is
    built as a Llama (SmolLM2, say) counts as one.
    """
    exponent = _exponent(facts.model_type)
    if exponent is None or facts.hidden_size is None:
        return None
    rate = BASE * LORA_FACTOR if lora else BASE
    return rate * (REFERENCE_WIDTH / facts.hidden_size) ** exponent


def why_no_suggestion(facts: ModelFacts) -> str:
    """What to tell a user who left the learning rate out, where none can be suggested."""
    if _exponent(facts.model_type) is not None:
        return (
            "learning_rate: left out, and none can be suggested for a model whose config.json names "
            "no hidden_size; give one"
        )
    kind = facts.model_type or "unknown"
    return (
        f"learning_rate: left out, and none can be suggested for a {kind} model "
        "(only for Llama and Qwen ones); give one, such as 1e-4 for LoRA or 1e-5 for all weights"
    )


def _exponent(model_type: str) -> float | None:
    return next((e for f, e in WIDTH_EXPONENTS.items() if model_type.startswith(f)), None)
