"""Keys are planted, runs with failures are made, and then everything is searched for the keys."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest

from kitchen_daemon.client import Refused
from kitchen_daemon.models import Launch, RenderRequest
from tests.doubles import hub as hubs
from tests.doubles import llm
from tests.kitchen_daemon.support import running_daemon

IN_FILE = "sk-planted+in/the=file-8b1f"
IN_ENVIRONMENT = "hf_plantedInTheEnvironment51c0"
UNUSED = "planted-for-nobody-77aa"

MANIFEST = """
[ports.llm]
adapter = "openai"
base_url = "{llm}"
timeout_s = 5

[ports.dataset_hub]
adapter = "hugging_face"
endpoint = "{hub}"

[retry]
attempts = 2
wait_initial_s = 0
breaker_wait_s = 0
"""
TAUGHT = {"teacher": "none", "mode": "off_policy", "model": "builtin:tiny", "max_steps": 1}
CARELESS = """
import os, sys
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised

class Config(SupervisedConfig):
    pass

recipe = Recipe(name="careless", description="Careless", workflow=supervised, config=Config())
if "kitchen_daemon.running.execution" in sys.modules:
    key = os.environ["HF_TOKEN"]
    print("my key is", key)
    print(f"and again {key}", file=sys.stderr)
    os.write(2, f"as a C library would: {key}\\n".encode())
    raise RuntimeError(f"no luck with {key}")
"""


@pytest.fixture
def servers():
    with llm.serve_chat(llm.ChatDouble()) as chat, hubs.serve(hubs.HubDouble()) as hub:
        yield chat, hub


@pytest.fixture
def daemon(tmp_path, monkeypatch, servers):
    chat, hub = servers
    monkeypatch.setenv("HF_TOKEN", IN_ENVIRONMENT)
    monkeypatch.setenv("OPENAI_API_KEY", "is-in-the-file-too")
    with running_daemon(tmp_path / "kitchen") as running:
        secrets = running.home.secrets
        secrets.write_text(f"OPENAI_API_KEY='{IN_FILE}'\nOTHER_KEY={UNUSED}\n")
        secrets.chmod(0o600)
        manifests = running.home.root / "manifests"
        manifests.mkdir()
        text = MANIFEST.format(llm=chat.address, hub=hub.endpoint)
        (manifests / "careless.toml").write_text(text)
        yield running


def test_no_key_is_anywhere_after_runs_that_failed(daemon, servers, tmp_path):
    chat, hub = servers
    said = [*failed_runs(daemon, chat, tmp_path), refused_by_the_hub(daemon, hub)]
    assert f"Bearer {IN_FILE}" in {headers["authorization"] for headers in chat.headers}
    told = "\n".join(said)
    assert told.count("[OPENAI_API_KEY]") >= 4  # in place of a key stands its name
    assert told.count("[HF_TOKEN]") >= 4
    assert "port.retried" in told
    daemon.stop()
    found = {
        str(path): form
        for path in [daemon.home.root, *daemon.home.root.rglob("*")]
        if path.is_file() and path != daemon.home.secrets
        for form in forms()
        if form.encode() in path.read_bytes()
    }
    assert found == {}
    assert [form for form in forms() if form in told] == []


def failed_runs(daemon, chat, tmp_path):
    """Everything that the API and the command say of two runs, each failed in its own way."""
    chat.faults += [*[llm.echoing(500)] * 4, *[llm.echoing(401)] * 99]
    overrides = {**TAUGHT, "llm_teacher": "parrot"}
    launch = Launch(recipe="distillation", overrides=overrides, manifest="careless")
    yield from everything_about(daemon, daemon.client.launch(launch).id)
    recipe = tmp_path / "careless.py"
    recipe.write_text(CARELESS)
    overrides = {"model": "builtin:tiny", "dataset": "builtin:arithmetic"}
    run = daemon.client.launch(Launch(recipe=str(recipe), overrides=overrides))
    yield from everything_about(daemon, run.id)


def everything_about(daemon, run_id):
    run = daemon.settled(run_id)
    assert run.status == "failed", run
    yield run.model_dump_json()
    yield json.dumps([event.model_dump(mode="json") for event in daemon.client.events(run_id)])
    yield "\n".join(daemon.client.log(run_id))
    yield command(daemon, "show", run_id)
    yield command(daemon, "events", run_id)


def command(daemon, *words):
    done = subprocess.run(
        [sys.executable, "-m", "kitchen_tui.cli", *words],
        env={"KITCHEN_HOME": str(daemon.home.root), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def refused_by_the_hub(daemon, hub):
    hub.faults += [hubs.echoing(400)] * 9
    launch = Launch(recipe="sl_basic", overrides={"dataset": "hf:org/data"}, manifest="careless")
    with pytest.raises(Refused) as refused:
        daemon.client.render(RenderRequest(launch=launch))
    return f"{refused.value.message} {refused.value.hint}"


def forms():
    for key in (IN_FILE, IN_ENVIRONMENT, UNUSED):
        yield key
        yield base64.b64encode(key.encode()).decode().rstrip("=")
