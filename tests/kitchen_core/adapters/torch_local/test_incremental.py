"""Reading a token at a time: the logits of every step are those of the whole sequence read at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig

from kitchen_core.adapters.torch_local.incremental import ForwardPass, Incremental, RowsUnderWay
from kitchen_core.adapters.torch_local.llama import Llama
from kitchen_core.adapters.torch_local.trusted import incremental_of
from kitchen_core.adapters.torch_local.weights import copy_of, swapped
from tests.kitchen_core.adapters.torch_local.architectures import _GROUPED, PACKABLE, VOCAB

CPU = torch.device("cpu")
PROMPTS = [(5, 9, 2), (7, 1, 8, 3, 6, 4), (5, 9, 2), (11, 12)]

Config = Callable[[], PretrainedConfig]


def config(name: str, **others: object) -> Config:
    return lambda: getattr(transformers, name)(**_GROUPED, **others)


OWN: dict[str, Config] = {
    "llama": PACKABLE["llama"],
    "llama, biases, all heads": config("LlamaConfig", attention_bias=True, mlp_bias=True),
    "llama 3 angles": config(
        "LlamaConfig",
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 10_000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "qwen2, biases": config("Qwen2Config"),
    "qwen3, norms of heads": PACKABLE["qwen3"],
    "mistral without a window": config("MistralConfig", sliding_window=None),
}
NOT_OWN: dict[str, Config] = {
    name: make for name, make in PACKABLE.items() if name not in ("llama", "qwen3")
} | {
    "qwen2, windows": config(
        "Qwen2Config", use_sliding_window=True, sliding_window=64, max_window_layers=1
    ),
    "mistral, a window no trial reaches": config("MistralConfig", sliding_window=64),
    "angles that depend on the length": config(
        "LlamaConfig",
        rope_parameters={"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 4.0},
    ),
}


def make(described: Config, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Norms and biases drawn too, so that none is 1 or 0 by chance."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(described()).to(dtype).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() == 1:
                    parameter.add_(torch.randn_like(parameter) * (0.1 if "norm" in name else 0.3))
    return model


@torch.no_grad()
def whole(model: nn.Module, rows: list[list[int]]) -> Tensor:
    """What the model says after each row, read alone and at once."""
    return torch.stack([model(torch.tensor([row])).logits[0, -1].float() for row in rows])


class Decoding:
    """Rows that are decoded, each step held against the whole sequences."""

    def __init__(self, model: nn.Module, incremental: Incremental, max_tokens: int) -> None:
        self._model = model
        self._draw = torch.Generator().manual_seed(0)
        self._rows = [list(prompt) for prompt in PROMPTS]
        with torch.no_grad():
            self._under_way: RowsUnderWay = incremental.start(PROMPTS, max_tokens)
        self.check()

    @torch.no_grad()
    def advance(self, steps: int = 1) -> None:
        for _ in range(steps):
            tokens = torch.randint(VOCAB, (len(self._rows),), generator=self._draw)
            self._rows = [[*row, int(token)] for row, token in zip(self._rows, tokens, strict=True)]
            self._under_way.advance(tokens)
        self.check()

    def keep(self, kept: list[int]) -> None:
        self._rows = [self._rows[index] for index in kept]
        self._under_way.keep(torch.tensor(kept))
        self.check()

    def check(self) -> None:
        expected = whole(self._model, self._rows)
        torch.testing.assert_close(self._under_way.logits, expected, rtol=1e-4, atol=1e-4)


def decode(model: nn.Module, incremental: Incremental) -> None:
    """Prompts of three lengths, one of them twice, rows that end, and more tokens than were said."""
    decoding = Decoding(model, incremental, max_tokens=2)
    decoding.advance()
    decoding.keep([0, 1, 3])
    decoding.advance(4)
    decoding.keep([2, 1])
    decoding.advance(3)


@pytest.mark.parametrize("name", OWN)
def test_the_llama_family_is_read_by_our_own_decoder(name):
    model = make(OWN[name])
    own = incremental_of(model, CPU)
    assert isinstance(own, Llama)
    decode(model, own)


@pytest.mark.parametrize("name", NOT_OWN)
def test_every_other_model_is_read_by_its_forward_pass(name):
    model = make(NOT_OWN[name], torch.float32)  # transformers' eager masks overflow in float64
    incremental = incremental_of(model, CPU)
    assert isinstance(incremental, ForwardPass)
    decode(model, incremental)


def test_a_model_that_computes_a_little_differently_is_not_trusted():
    model = make(OWN["llama"])
    mlp = model.get_submodule("model.layers.1.mlp")
    mlp.register_forward_hook(lambda *call: call[2] * 1.001)
    assert isinstance(incremental_of(model, CPU), ForwardPass)


def test_there_is_room_for_as_many_tokens_as_come():
    model = make(OWN["llama"])
    decoding = Decoding(model, Llama(model, CPU), max_tokens=10**9)
    decoding.advance(60)
    decoding.advance(10)  # the room that is made at first is 64
    decoding.keep([3, 0])
    decoding.advance(150)


def test_rows_of_one_length_need_no_mask():
    model = make(OWN["llama"])
    with torch.no_grad():
        under_way = Llama(model, CPU).start([(1, 2, 3), (3, 2, 1)], 4)
        under_way.advance(torch.tensor([4, 5]))
    expected = whole(model, [[1, 2, 3, 4], [3, 2, 1, 5]])
    torch.testing.assert_close(under_way.logits, expected, rtol=1e-4, atol=1e-4)


def test_the_weights_are_those_of_the_moment():
    model = make(OWN["llama"])
    incremental = incremental_of(model, CPU)
    before = copy_of(dict(model.named_parameters()))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    decode(model, incremental)
    with swapped(dict(model.named_parameters()), before):
        decode(model, incremental)


@pytest.mark.parametrize(
    ("targets", "options"),
    [
        (["q_proj", "v_proj", "down_proj"], {}),
        (["q_proj", "v_proj", "down_proj"], {"lora_bias": True}),
        (["q_proj", "v_proj", "down_proj"], {"use_dora": True}),
        (["embed_tokens", "o_proj", "lm_head"], {}),
    ],
)
def test_a_trained_adapter_is_read_with_its_base(targets, options):
    base: Any = make(OWN["llama"], torch.float32)
    lora = LoraConfig(r=4, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM", **options)
    model = get_peft_model(base, lora).eval()
    incremental = incremental_of(model, CPU)
    assert isinstance(incremental, Llama)
    fresh = whole(model, [[1, 2, 3]])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    assert (whole(model, [[1, 2, 3]]) - fresh).abs().max() > 0.1
    decode(model, incremental)
    with model.disable_adapter():
        decode(model, incremental)
