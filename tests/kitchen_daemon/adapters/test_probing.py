"""Adapters are asked in a process of its own: what hangs or breaks there costs a few seconds and no more."""

from __future__ import annotations

import os
import re
import sys
import time

import pytest

from kitchen_core.adapters.choices import PortChoice
from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.home import Home
from kitchen_daemon.adapters.listing import UnknownAdapter, adapter_info, adapters_info
from kitchen_daemon.adapters.probing import START_SECONDS, Asked, probe_all
from kitchen_daemon.apart import Apart
from kitchen_daemon.doctor import examine_manifests
from tests.doubles.llm import ChatDouble, error, serve_chat
from tests.kitchen_core.adapters.python_bridge.support import all_gone, workers
from tests.kitchen_core.adapters.sites import Site

ODD = """
import threading
from kitchen_core.train.ports.adapter import Adapter

class Hangs:
    async def probe(self):
        threading.Event().wait()  # a call that blocks, as an SDK without async has

class Breaks:
    async def probe(self):
        raise KeyError("body")

def prints_and_fails():
    print("a library says hello")
    raise OSError("no such device")

adapter = Adapter("odd", "", {"llm": Hangs, "model_hub": Breaks, "dataset_hub": prints_and_fails})
"""

DOUBLED = ("training_client", "model_hub", "dataset_hub", "python_bridge")
"""What would load torch, start processes, or ask the real hub."""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "kitchen")
    home.make()
    home.secrets.write_text("TINKER_API_KEY=\nOPENAI_API_KEY=\nHF_TOKEN=tml-planted-token\n")
    home.secrets.chmod(0o600)
    return home


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """An adapter that misbehaves, as it is installed for the process that asks."""
    site = tmp_path / "site"
    site.mkdir()
    Site(site).install("odd", {"odd": ":adapter"}, ODD)
    monkeypatch.setenv("PYTHONPATH", f"{site}:{os.environ.get('PYTHONPATH', '')}")


def asked(port: str, adapter: str, **options: object) -> Asked:
    return Asked(port=port, choice=PortChoice.model_validate({"adapter": adapter, **options}))


def test_who_hangs_or_breaks_or_refuses_holds_up_nobody_else(home, odd):
    refusing = ChatDouble(faults=[error(401, "invalid_api_key")])
    with serve_chat(ChatDouble()) as double, serve_chat(refusing) as strict:
        began = time.monotonic()
        answers = probe_all(
            Apart(home),
            [
                asked("llm", "odd"),
                asked("llm", "openai", base_url=double.address),
                asked("model_hub", "odd"),
                asked("dataset_hub", "odd"),
                asked("dataset_reader", "local_files"),
                asked("llm", "openai"),
                asked("llm", "openai", base_url=strict.address),
            ],
            seconds=4.0,
        )
        took = time.monotonic() - began
    hangs, chat, breaks, fails, files, keyless, refused = answers
    assert (hangs.state, hangs.detail) == ("unreachable", "no answer within 4 s")
    assert (chat.state, chat.detail) == ("reachable", "127.0.0.1 answers; models: 1")
    assert (breaks.state, breaks.detail) == ("unreachable", "KeyError: 'body'")
    assert (fails.state, fails.detail) == ("unreachable", "OSError: no such device")
    assert files.state == "unprobed"
    assert (keyless.state, keyless.detail) == ("not set up", "there is no key for OpenAI")
    assert refused.state == "refused"
    assert refused.detail.startswith("the server refused the key")  # asked once: it has one fault
    assert refused.hint == "Set OPENAI_API_KEY."
    assert took < 4 + START_SECONDS  # of the time and what starting takes, whoever hangs
    assert "a library says hello" in home.daemon_log.read_text()


def test_a_process_that_dies_is_told_by_its_last_words(home, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho out of luck >&2\nexit 7\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    (answer,) = probe_all(Apart(home), [asked("llm", "openai")])
    assert answer.state == "unreachable"
    assert answer.detail == "asking ended (exit code 7): out of luck"


def test_a_port_of_a_manifest_says_what_is_missing_without_asking(home):
    info = adapters_info(home, "prod")
    ports = {use.port: use for use in info.ports}
    assert ports["training_client"].state == "not set up"
    assert "TINKER_API_KEY" in ports["training_client"].detail
    assert ports["training_client"].others == ["memory", "torch_local"]
    assert ports["llm"].state == "ready"
    assert ports["llm"].detail == "without OPENAI_API_KEY"
    assert adapters_info(home, "dev").ports[1].state == "unserved"
    assert "planted" not in info.model_dump_json()


def test_one_adapter_tells_its_options_and_keys_by_name(home):
    info = adapter_info(home, "tinker")
    assert (info.secrets, info.extra) == ({"TINKER_API_KEY": False}, "tinker")
    options = {option.name: option for option in info.options}
    assert options["base_model"].ports == ["training_client"]
    assert options["base_url"].ports == ["training_client", "checkpoints"]
    assert (options["checkpoint_days"].kind, options["checkpoint_days"].default) == ("number", 7.0)
    hub = adapter_info(home, "hugging_face")
    assert hub.optional_secrets == {"HF_TOKEN": True}
    assert "planted" not in hub.model_dump_json()
    with pytest.raises(UnknownAdapter, match="there is no adapter 'tinkr'; did you mean 'tinker'"):
        adapter_info(home, "tinkr")


def test_the_doctor_misses_what_the_default_and_own_manifests_need_alone(home):
    (home.root / "manifests").mkdir(exist_ok=True)
    own = home.root / "manifests" / "mine.toml"
    own.write_text('[ports.training_client]\nadapter = "tinker"\n')
    checks = {check.name: check for check in examine_manifests(home)}
    assert checks["manifest dev"].ok
    prod, mine = checks["manifest prod"], checks["manifest mine"]
    assert (prod.ok, prod.optional) == (False, True)
    assert (mine.ok, mine.optional) == (False, False)
    assert mine.detail == "tinker needs TINKER_API_KEY, not set here"
    own.write_text('[ports.training_client]\nadapter = "tinkr"\n')
    checks = {check.name: check for check in examine_manifests(home)}
    assert "did you mean 'tinker'" in checks["manifest mine"].detail


def test_the_doctor_asks_on_request(home):
    (home.root / "manifests").mkdir(exist_ok=True)
    doubles = "".join(f'[ports.{port}]\nadapter = "memory"\n' for port in DOUBLED)
    with serve_chat(ChatDouble()) as double:
        served = f'[ports.llm]\nadapter = "openai"\nbase_url = "{double.address}"\n'
        for name, text in (("dev", doubles), ("prod", doubles), ("mine", doubles + served)):
            (home.root / "manifests" / f"{name}.toml").write_text(text)
        checks = list(examine_manifests(home, ask=Apart(home)))
    told = {(check.name, check.detail): check for check in checks}
    assert told["llm openai", "127.0.0.1 answers; models: 1"].ok
    keyless = told["llm openai", "there is no key for OpenAI"]
    assert (keyless.ok, keyless.optional) == (False, True)


async def test_what_computes_here_says_on_what():
    assert re.fullmatch(r"(CPU|CUDA) .+, \d+ GiB, torch \d+\.\d+.*", await TorchLocal().probe())
    bridge = find_adapters().by_name["python_bridge"].ports["python_bridge"](libraries=["sympy"])
    before = {process.pid for process in workers()}
    assert await bridge.probe() == "a process answers; 2 functions"
    assert all_gone([process for process in workers() if process.pid not in before])
