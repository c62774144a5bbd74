"""A home of its own for each test, and the command line to try on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kitchen_core.home import Home
from kitchen_tui.cli.main import run
from tests.kitchen_tui.support import StubDaemon


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = tmp_path / "home"
    monkeypatch.setenv("KITCHEN_HOME", str(root))
    monkeypatch.setenv("COLUMNS", "80")
    return Home(root)


@pytest.fixture
def stub(home: Home) -> Iterator[StubDaemon]:
    daemon = StubDaemon(home)
    yield daemon
    daemon.close()


@pytest.fixture
def command(home: Home, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def said(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(list(arguments))
        return Said(code, *capsys.readouterr())

    return said
