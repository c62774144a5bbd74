"""kitchen adapters: a table that fits the window, JSON for scripts, and one adapter whole."""

from __future__ import annotations

import json

import pytest

from kitchen_daemon.adapter_models import (
    AdapterInfo,
    AdaptersInfo,
    BrokenInfo,
    OptionInfo,
    PortUse,
)
from tests.kitchen_tui.support import Refusal

HINT = "Install it: pip install 'crucible-kitchen[tinker]'"
INFO = AdaptersInfo(
    manifest="prod",
    ports=[
        PortUse(
            port="training_client",
            adapter="tinker",
            state="not installed",
            detail="tinker needs the package tinker, not installed here",
            hint=HINT,
            others=["memory", "torch_local"],
        ),
        PortUse(port="model_hub", adapter="hugging_face", state="reachable", detail="hub as ada"),
        PortUse(port="llm", adapter="openai", state="ready", detail="without OPENAI_API_KEY"),
        PortUse(port="blob_store", adapter=None, state="unserved", hint="Name one.", others=["x"]),
    ],
    broken=[BrokenInfo(name="lab", origin="lab 1.2", reason="serves no port")],
)
ONE = AdapterInfo(
    name="lab",
    summary="A reader",
    origin="lab-reader 1.2",
    ports=["dataset_reader", "llm"],
    options=[
        OptionInfo(
            name="url",
            kind="text",
            required=True,
            default=None,
            description="Where",
            ports=["dataset_reader", "llm"],
        ),
        OptionInfo(
            name="tries",
            kind="whole number",
            required=False,
            default=3,
            description="How often",
            ports=["llm"],
        ),
    ],
    offline=False,
    secrets={"LAB_KEY": False},
    optional_secrets={"LAB_TOKEN": True},
    extra=None,
    missing=["lab_sdk"],
    install="pip install lab_sdk",
)


@pytest.fixture
def told(stub):
    stub.answers |= {"GET /adapters": INFO, "GET /adapter": ONE}
    return stub


def test_each_port_says_who_serves_it_and_how_it_stands(told, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    said = command("adapters", "--manifest", "prod", "--probe")
    assert said.code == 0
    assert told.asked[-1][1] == {"manifest": ["prod"], "probe": ["true"]}
    assert "✗ not installed: tinker needs" in said.out
    assert "✓ hub as ada" in said.out
    assert "✓ ready, without OPENAI_API_KEY" in said.out
    assert f"hint: {HINT}" in said.out
    assert "Name one." not in said.out  # a port that needs nobody is nothing to repair
    assert "serves no port (lab 1.2)" in said.out


@pytest.mark.parametrize("width", [40, 50, 80])
def test_no_line_is_wider_than_the_window(told, command, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for words in (["adapters"], ["adapters", "show", "lab"]):
        lines = command(*words).out.splitlines()
        assert max(map(len, lines)) <= width
    assert ("others" in command("adapters").out) == (width >= 60)


def test_json_is_all_of_it(told, command):
    assert json.loads(command("adapters", "--json").out) == INFO.model_dump(mode="json")
    assert json.loads(command("adapters", "show", "lab", "--json").out) == ONE.model_dump()


def test_a_manifests_file_is_named_from_the_root(told, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command("adapters", "--manifest", "./mine.toml")
    assert told.asked[-1][1]["manifest"] == [str(tmp_path / "mine.toml")]


def test_one_adapter_is_shown_with_its_options_and_what_it_lacks(told, command):
    out = command("adapters", "show", "lab").out
    assert "lab-reader 1.2" in out
    assert "LAB_KEY, which is needed and has no value" in out
    assert "LAB_TOKEN, which is set" in out
    assert "lab_sdk; bring it by: pip install lab_sdk" in out
    assert "text  Where (has to be given)" in out
    assert "whole number  How often (default 3; at llm)" in out
    assert "--adapter dataset_reader.url=..." in out.replace("\n", "")


def test_an_adapter_that_there_is_not_is_wrong_usage(told, command):
    told.answers["GET /adapter"] = Refusal(404, "there is no adapter 'labb'; did you mean 'lab'?")
    said = command("adapters", "show", "labb")
    assert (said.code, said.err) == (2, "error: there is no adapter 'labb'; did you mean 'lab'?\n")


def test_an_option_of_one_run_goes_with_the_launch(told, command):
    told.answers["POST /plans"] = Refusal(422, "enough")
    command(
        "run", "sl_basic", "--adapter", "llm=openai", "--adapter", "llm.timeout_s=5", "--dry-run"
    )
    (launch,) = told.bodies("POST /plans")
    assert launch["adapters"] == {"llm": "openai", "llm.timeout_s": "5"}
    said = command("run", "sl_basic", "--adapter", "llm")
    assert said.err == "error: 'llm' is not of the form PORT=NAME or PORT.OPTION=VALUE\n"
