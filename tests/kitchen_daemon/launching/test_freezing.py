"""What a submission decides for the user, and shows before anything runs."""

import json

import pytest

from kitchen_daemon.client import Refused
from kitchen_daemon.models import Launch


def model_named(tmp_path, model_type):
    """A folder whose config says what it is; nothing of it is ever loaded."""
    from safetensors.numpy import save_file

    folder = tmp_path / model_type
    folder.mkdir()
    config = {"model_type": model_type, "hidden_size": 4096, "architectures": ["X"]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    save_file({}, folder / "model.safetensors")
    return f"file:{folder}"


def planned(daemon, **overrides):
    return daemon.client.plan(Launch(recipe="sl_basic", overrides=overrides)).config


def test_a_learning_rate_that_is_left_out_is_suggested_and_frozen(daemon, tmp_path):
    llama = model_named(tmp_path, "llama")
    # tinker-cookbook's get_lr for Llama-3.1-8B, whose hidden size is 4096; a tenth for all weights.
    config = planned(daemon, model=llama, learning_rate=None, lora_rank=8)
    assert config["learning_rate"] == pytest.approx(2.856e-4, rel=1e-3)
    config = planned(daemon, model=llama, learning_rate=None, lora_rank=0)
    assert config["learning_rate"] == pytest.approx(2.856e-5, rel=1e-3)


def test_a_family_that_nobody_has_measured_needs_a_learning_rate(daemon, tmp_path):
    with pytest.raises(ValueError, match="none can be suggested for a gpt2 model"):
        planned(daemon, model=model_named(tmp_path, "gpt2"), learning_rate=None)


def test_a_learning_rate_that_is_given_stays(daemon, tmp_path):
    config = planned(daemon, model=model_named(tmp_path, "gpt2"), learning_rate="0.5")
    assert config["learning_rate"] == 0.5


def test_modules_for_an_adapter_that_there_is_not_are_refused(daemon):
    with pytest.raises(ValueError, match="lora_targets=q_proj,v_proj is for an adapter"):
        planned(daemon, lora_targets="q_proj,v_proj")
    config = planned(daemon, lora_targets="q_proj, v_proj", lora_rank=4)
    assert config["lora_targets"] == ["q_proj", "v_proj"]


def test_a_chat_model_without_a_key_is_refused_before_the_run_is_queued(daemon, tmp_path):
    daemon.home.secrets.write_text("OPENAI_API_KEY=\n")  # whatever the environment has
    daemon.home.secrets.chmod(0o600)
    settings = {"teacher": "none", "llm_teacher": "gpt", "mode": "off_policy"}
    with pytest.raises(Refused, match="there is no key for OpenAI") as refused:
        daemon.client.plan(Launch(recipe="distillation", overrides=settings))
    assert "OPENAI_API_KEY" in refused.value.hint
    local = tmp_path / "local.toml"
    local.write_text('[ports.llm]\nadapter = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n')
    launch = Launch(recipe="distillation", overrides=settings, manifest=str(local))
    assert daemon.client.plan(launch).config["llm_teacher"] == "gpt"
    assert daemon.client.plan(Launch(recipe="distillation")).config["llm_teacher"] is None


def test_a_floor_without_a_schedule_is_refused(daemon):
    with pytest.raises(ValueError, match=r"min_lr_ratio=0.5 is where a schedule ends"):
        planned(daemon, lr_schedule="constant", min_lr_ratio=0.5)
