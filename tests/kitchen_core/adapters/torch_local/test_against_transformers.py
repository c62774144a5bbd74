"""The numbers of a session against plain transformers and plain PEFT."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from kitchen_core.train.types import AdamParams, LoraSpec, LossSpec, SamplingParams
from tests.contracts.data import DATUMS, PROMPTS

STEP = AdamParams(learning_rate=1e-2)


async def train(session, steps: int = 3) -> None:
    for _ in range(steps):
        session.forward_backward(DATUMS, LossSpec())
        await session.optim_step(STEP)


@torch.no_grad()
def plain_logprobs(model, tokens: list[int]) -> np.ndarray:
    """Each token's logprob after the first, by log_softmax over one unpadded sequence."""
    ids = torch.tensor([tokens])
    logprobs = model(input_ids=ids).logits.log_softmax(-1)
    return logprobs[0, :-1].gather(-1, ids[0, 1:, None]).squeeze(-1).numpy()


def adam_by_hand(model, steps: int) -> None:
    """The same training in a plain loop: one datum at a time, torch's own cross-entropy and AdamW."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, foreach=False
    )
    for _ in range(steps):
        for datum in DATUMS:
            logits = model(input_ids=torch.from_numpy(datum.tokens)[None]).logits[0]
            losses = torch.nn.functional.cross_entropy(
                logits, torch.from_numpy(datum.targets), reduction="none"
            )
            (losses * torch.from_numpy(datum.weights)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()


async def test_target_logprobs_are_those_of_a_plain_forward_pass(start, llama):
    model = AutoModelForCausalLM.from_pretrained(llama)
    session = await start()
    for datum, row in zip(
        DATUMS, (await session.forward(DATUMS, LossSpec())).logprobs, strict=True
    ):
        expected = plain_logprobs(model, [*datum.tokens, datum.targets[-1]])
        np.testing.assert_allclose(row, expected, atol=1e-5)


async def test_training_is_that_of_a_plain_loop(start, llama):
    model = AutoModelForCausalLM.from_pretrained(llama)
    adam_by_hand(model, steps=3)
    session = await start()
    await train(session, steps=3)
    scored = await session.sampler("live").compute_logprobs(PROMPTS)
    for prompt, row in zip(PROMPTS, scored, strict=True):
        np.testing.assert_allclose(row, plain_logprobs(model, prompt), atol=2e-3)


async def test_grad_norm_is_that_of_a_plain_backward_pass(start, llama):
    model = AutoModelForCausalLM.from_pretrained(llama)
    for datum in DATUMS:
        logits = model(input_ids=torch.from_numpy(datum.tokens)[None]).logits[0]
        logprobs = logits.log_softmax(-1)[range(len(datum)), datum.targets]
        (-(logprobs * torch.from_numpy(datum.weights)).sum()).backward()
    expected = sum(float((p.grad.double() ** 2).sum()) for p in model.parameters()) ** 0.5
    session = await start()
    session.forward_backward(DATUMS, LossSpec())
    result = await session.optim_step(STEP)
    assert result.metrics["grad_norm"] == pytest.approx(expected, rel=1e-5)


async def test_greedy_samples_are_those_of_generate(start, llama):
    model = AutoModelForCausalLM.from_pretrained(llama)
    session = await start()
    samples = await session.sampler("live").sample(
        PROMPTS, SamplingParams(max_tokens=20, temperature=0.0)
    )
    for prompt, [completion] in zip(PROMPTS, samples, strict=True):
        generated = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            max_new_tokens=20,
            do_sample=False,
            pad_token_id=0,
        )
        assert completion.tokens == generated[0, len(prompt) :].tolist()


async def test_a_whole_export_gives_the_same_logprobs_in_plain_transformers(start, tmp_path):
    session = await start()
    await train(session)
    await session.export(tmp_path / "final")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "final")
    scored = await session.sampler("live").compute_logprobs(PROMPTS)
    for prompt, row in zip(PROMPTS, scored, strict=True):
        np.testing.assert_allclose(row, plain_logprobs(model, prompt), atol=1e-5)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "final")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert model.generation_config.eos_token_id == 256


async def test_an_adapter_export_gives_the_same_logprobs_in_plain_peft(start, llama, tmp_path):
    session = await start(LoraSpec(rank=4))
    await train(session)
    await session.export(tmp_path / "final")
    base = AutoModelForCausalLM.from_pretrained(llama)
    model = PeftModel.from_pretrained(base, tmp_path / "final")
    scored = await session.sampler("live").compute_logprobs(PROMPTS)
    for prompt, row in zip(PROMPTS, scored, strict=True):
        np.testing.assert_allclose(row, plain_logprobs(model, prompt), atol=1e-5)
    config = json.loads((tmp_path / "final" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/tiny"
    assert config["target_modules"] == sorted(config["target_modules"])


async def test_a_fresh_adapter_leaves_the_base_as_it_is(start, llama):
    model = AutoModelForCausalLM.from_pretrained(llama)
    session = await start(LoraSpec(rank=4))
    scored = await session.sampler("live").compute_logprobs(PROMPTS)
    for prompt, row in zip(PROMPTS, scored, strict=True):
        np.testing.assert_allclose(row, plain_logprobs(model, prompt), atol=1e-5)
