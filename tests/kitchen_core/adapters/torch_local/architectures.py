"""Small models of many architectures, random and in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
import transformers
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

VOCAB = 64
_SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
_GROUPED = _SIZES | {"num_key_value_heads": 2}


def _config(name: str, sizes: dict, **others: object) -> Callable[[], PretrainedConfig]:
    return lambda: getattr(transformers, name)(**sizes, **others)


PACKABLE = {
    "llama": _config("LlamaConfig", _GROUPED),
    "qwen3": _config("Qwen3Config", _GROUPED, head_dim=8),
    "mistral, windows": _config("MistralConfig", _GROUPED, sliding_window=5),
    "gemma2, caps and windows": _config(
        "Gemma2Config",
        _GROUPED,
        head_dim=8,
        sliding_window=5,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
    ),
    "gemma3, windows": _config("Gemma3TextConfig", _GROUPED, head_dim=8, sliding_window=5),
    "gpt2": _config(
        "GPT2Config",
        {k: v for k, v in _SIZES.items() if k != "intermediate_size"},
        resid_pdrop=0.5,
        embd_pdrop=0.5,
        attn_pdrop=0.5,
    ),
    "opt, dropout": _config(
        "OPTConfig",
        {k: v for k, v in _SIZES.items() if k != "intermediate_size"},
        ffn_dim=48,
        dropout=0.5,
        word_embed_proj_dim=32,
    ),
    "cohere, scaled logits": _config("CohereConfig", _GROUPED, logit_scale=0.5),
    "granite, divided logits": _config("GraniteConfig", _GROUPED, logits_scaling=3.0),
}
PADDED = {
    "bloom": _config("BloomConfig", {"vocab_size": VOCAB}, hidden_size=32, n_layer=2, n_head=4),
    "mamba": _config(
        "MambaConfig", {"vocab_size": VOCAB}, hidden_size=32, num_hidden_layers=2, state_size=4
    ),
}


def make(name: str) -> PreTrainedModel:
    """The same weights every time, and no dropout."""
    config = (PACKABLE | PADDED)[name]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).double().eval()
