"""An adapter's options are what its factory's signature says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pytest

from kitchen_core.adapters.choices import ManifestError, PortChoice, checked
from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.options import Option, options_of
from kitchen_core.train.ports.adapter import Adapter

if TYPE_CHECKING:
    from nowhere import Unknown


def options(factory: Callable[..., object], *described: str) -> dict[str, Option]:
    lines = dict.fromkeys(described, "what it does")
    adapter = Adapter("lab", "", {"llm": factory}, secrets=("KEY",), options=lines)
    return options_of(adapter, "llm")


def connect(
    secrets: Mapping[str, str], url: str, tries: int = 3, tags: Sequence[str] = (), hidden: int = 1
) -> Unknown: ...


def test_what_the_wiring_gives_and_what_nobody_describes_is_no_option():
    found = options(connect, "tries", "tags")
    assert list(found) == ["url", "tries", "tags"]
    assert (found["url"].required, found["url"].kind) == (True, "text")
    assert (found["tries"].required, found["tries"].default) == (False, 3)
    assert found["tags"].kind == "list of text"


class Client:
    def __init__(
        self, *, ratio: float | None = None, by_name: Mapping[str, int] | None = None
    ) -> None: ...


def test_a_class_and_a_partial_are_factories_too():
    found = options(Client, "ratio", "by_name")
    assert [option.kind for option in found.values()] == ["number", "table of whole number"]
    assert found["ratio"].typed("1e-3") == 1e-3
    assert found["ratio"].typed("none") is None
    assert found["by_name"].typed('{"a": 1}') == {"a": 1}
    assert options(partial(connect, url="x"), "tries")["tries"].kind == "whole number"


def shy(thing: Unknown, any_thing=None) -> None: ...


def test_a_type_that_only_a_checker_knows_takes_what_is_given():
    found = options(shy, "any_thing")
    assert found["thing"].kind == "value"
    assert found["thing"].typed("text") == "text"


def test_an_option_that_has_to_be_given_is_asked_for(monkeypatch):
    adapter = Adapter("lab", "", {"llm": connect}, options={"tries": ""})
    monkeypatch.setitem(dict_of_adapters(), "lab", adapter)
    with pytest.raises(ManifestError) as refused:
        checked("llm", PortChoice(adapter="lab"))
    assert str(refused.value) == (
        "the adapter lab needs the option url for llm; give it in the manifest, or by --adapter llm.url=..."
    )
    given = {"adapter": "lab", "url": "http://x"}
    assert checked("llm", PortChoice.model_validate(given)).options == {"url": "http://x"}


def dict_of_adapters() -> dict[str, Adapter]:
    by_name = find_adapters().by_name
    assert isinstance(by_name, dict)
    return by_name


def test_every_option_that_ships_is_described_and_one_of_some_port():
    for adapter in find_adapters().by_name.values():
        known = {name for port in adapter.ports for name in options_of(adapter, port)}
        assert known == adapter.options.keys(), adapter.name
        for port in adapter.ports:
            for option in options_of(adapter, port).values():
                assert option.kind != "value", (adapter.name, option.name)
