"""What a manifest names is connected, or refused with what is missing; what is held is given back."""

import pytest

from kitchen_core.adapters import finding, readiness
from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.train.ports.errors import AuthError, Unsupported
from tests.kitchen_core.adapters.python_bridge.support import all_gone, workers


def wired(tmp_path, manifest, secrets=None, **overrides):
    return Wiring(resolve_manifest(manifest, overrides, tmp_path), secrets=secrets or {})


def test_what_the_manifest_names_is_connected_once(tmp_path):
    wiring = wired(tmp_path, "test")
    client = wiring.connect("training_client")
    assert isinstance(client, MemoryTraining)
    assert wiring.connect("training_client") is client


def test_a_port_that_nothing_serves_is_named_with_what_could(tmp_path):
    with pytest.raises(Unsupported) as refused:
        wired(tmp_path, "dev").connect("checkpoints")
    assert refused.value.message == "the manifest names no adapter for checkpoints"
    assert refused.value.hint == (
        "Use --manifest prod or test, or --adapter checkpoints=memory or tinker."
    )


def test_a_key_that_is_missing_is_named(tmp_path):
    with pytest.raises(AuthError) as refused:
        wired(tmp_path, "prod", {"TINKER_API_KEY": ""}).connect("training_client")
    assert refused.value.message == "tinker needs TINKER_API_KEY, not set here"
    assert "TINKER_API_KEY=... into secrets.env" in refused.value.hint


def test_a_package_that_is_missing_is_named_with_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setattr(finding, "find_spec", lambda name: None)  # as without the extra
    key = {"TINKER_API_KEY": "tml-x"}
    with pytest.raises(Unsupported) as refused:
        wired(tmp_path, "prod", key).connect("training_client")
    assert refused.value.message == "tinker needs the package tinker, not installed here"
    assert refused.value.hint == "Install it: pip install 'crucible-kitchen[tinker]'"


def test_dev_and_test_lack_nothing_and_prod_a_key(tmp_path):
    for name, lacking in (
        ("dev", set()),
        ("test", set()),
        ("prod", {"training_client", "checkpoints"}),
    ):
        manifest = resolve_manifest(name, {}, tmp_path)
        lacks = {port for port in manifest.ports if readiness.lacking(manifest, port, {})}
        assert lacks == lacking, name


async def test_closing_ends_the_processes_of_the_bridge(tmp_path):
    wiring = wired(tmp_path, "dev")
    before = {process.pid for process in workers()}
    assert await wiring.connect("python_bridge").call("math_verify.verify", "1/2", "0.5") == "right"
    processes = [process for process in workers() if process.pid not in before]
    assert processes
    await wiring.close()
    assert all_gone(processes)


async def test_adapters_that_hold_nothing_and_remote_ones_are_closed_too(tmp_path):
    wiring = wired(tmp_path, "dev", {"OPENAI_API_KEY": "none"})
    wiring.connect("training_client")
    wiring.connect("llm")
    await wiring.close()
    await wiring.close()
