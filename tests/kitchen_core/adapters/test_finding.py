"""Other packages' adapters: one that can't be used breaks nothing, and says why."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from kitchen_core.adapters.finding import find_adapters, missing_modules
from tests.kitchen_core.adapters.sites import Site, code


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Site(tmp_path)
    for name in [name for name in sys.modules if name.endswith("_code")]:
        del sys.modules[name]


def test_an_adapter_of_another_package_stands_beside_ours(site):
    site.install("lab", {"lab": ":adapter"}, code())
    found = site.found()
    assert found.by_name["lab"].summary == "A reader"
    assert str(found.origins["lab"]) == "lab 1.2"
    assert found.origins["torch_local"].package == "crucible-kitchen"
    assert found.serving("dataset_reader") == ["lab", "local_files", "memory"]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("import a_library_that_there_is_not", "can't be imported: ModuleNotFoundError: No module"),
        ("raise SystemExit('no licence')", "can't be imported: SystemExit: no licence"),
        ("adapter = 'a string'", "is no Adapter: broken_code:adapter is of type str"),
        ("other = 1", "can't be imported: AttributeError"),
        (code("another"), "calls itself 'another', but its entry point 'broken'"),
        (code("broken", ports="{}"), "serves no port"),
        (
            code("broken", ports='{"dataset_raeder": Reader}'),
            "serves 'dataset_raeder', which is no port; did you mean 'dataset_reader'?",
        ),
    ],
    ids=["import", "exit", "type", "absent", "name", "no port", "port"],
)
def test_one_that_cant_be_used_says_why_and_the_others_work(site, written, reason):
    site.install("broken", {"broken": ":adapter"}, written)
    found = site.found()
    assert "broken" not in found.by_name
    assert reason in (found.why_broken("broken") or "")
    assert find_adapters().by_name.keys() <= found.by_name.keys()


def test_of_two_with_one_name_ours_is_used_and_then_the_first_packages(site):
    site.install("zeta", {"openai": ":adapter", "lab": ":adapter"}, code())
    site.install("alpha", {"lab": ":adapter"}, code())
    found = site.found()
    assert found.origins["openai"].package == "crucible-kitchen"
    assert found.origins["lab"].package == "alpha"
    told = {(broken.name, broken.origin.package): broken.reason for broken in found.broken}
    assert told["openai", "zeta"].startswith("there is one of that name already, from crucible-")
    assert told["lab", "zeta"] == "there is one of that name already, from alpha 1.2, which is used"
    assert found.why_broken("lab") is None


def test_what_is_not_installed_is_named_with_the_command_that_brings_it(site):
    modules = '("json", "a_library_that_there_is_not", "no_such_package.part")'
    site.install("lab", {"lab": ":adapter"}, code(modules=modules))
    found = site.found()
    assert missing_modules(found.by_name["lab"]) == [
        "a_library_that_there_is_not",
        "no_such_package.part",
    ]
    command = "pip install a_library_that_there_is_not no_such_package.part"
    assert found.install_command("lab") == command


def test_an_extra_is_its_own_packages(site):
    site.install("lab_extra", {"lab": ":adapter"}, code(modules='("none",)', extra="fast"))
    found = site.found()
    assert found.install_command("lab") == "pip install 'lab_extra[fast]'"
    assert found.install_command("tinker") == "pip install 'crucible-kitchen[tinker]'"
