"""A real small model, end to end. Give its folder: KITCHEN_TEST_MODEL=FOLDER make test-slow"""

import os
from pathlib import Path

import numpy as np
import pytest

from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.types import LoraSpec, ModelSource, SessionSpec
from kitchen_daemon.models import Launch
from tests.rows import chat, write_jsonl

pytestmark = pytest.mark.slow

QUESTIONS = ["What is the capital of France?", "Name a prime number.", "Say hello."] * 20
TEXT = "The capital of Canada is Ottawa, which lies on the river of the same name."


@pytest.fixture
def model_folder():
    folder = os.environ.get("KITCHEN_TEST_MODEL")
    if not folder:
        pytest.skip("KITCHEN_TEST_MODEL names no model folder")
    return Path(folder).resolve()


@pytest.fixture
def trained(daemon, model_folder, tmp_path):
    """The final tree of three LoRA steps."""
    rows = [chat(question, f"{i}.") for i, question in enumerate(QUESTIONS)]
    data = write_jsonl(tmp_path / "chat.jsonl", rows)
    overrides = {"model": str(model_folder), "dataset": str(data), "max_steps": 3, "batch_size": 4}
    launch = Launch(recipe="sl_basic", overrides=overrides | {"eval_every": 0, "warmup_steps": 0})
    run = daemon.settled(daemon.client.launch(launch).id)
    assert (run.status, run.config["lora_rank"]) == ("completed", 32)
    return Path(next(a.path for a in run.artifacts if a.name == "final"))


async def test_the_adapter_of_a_run_gives_plain_peft_the_logits_of_our_sampler(
    trained, model_folder
):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(trained)(TEXT)["input_ids"]
    base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    plain = PeftModel.from_pretrained(base, trained).eval()
    with torch.no_grad():
        logprobs = plain(torch.tensor([tokens])).logits[0, :-1].log_softmax(-1)
    theirs = logprobs.gather(1, torch.tensor(tokens[1:])[:, None])[:, 0].numpy()

    source = ModelSource("base", model_folder, trained)
    ours = await logprobs_of(source, tokens)
    assert np.abs(ours - theirs).max() < 1e-4
    untrained = await logprobs_of(ModelSource("base", model_folder), tokens)
    assert np.abs(ours - untrained).max() > 1e-3


async def logprobs_of(source, tokens):
    spec = SessionSpec(source, LoraSpec(32), seed=0, threads=2)
    session = await TorchLocal().start_session(spec)
    (logprobs,) = await session.sampler("live").compute_logprobs([tokens])
    await session.close()
    return logprobs
