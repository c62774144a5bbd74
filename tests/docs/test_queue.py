"""docs/queue.md leaves out no code, no setting, and names no command or option that there is not."""

import re
from pathlib import Path

import pytest
import typer.main

from kitchen_daemon.models import WaitCode
from kitchen_daemon.settings import Settings
from kitchen_tui.cli.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "queue.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"kitchen (?:[a-z]+ ?)+", PAGE)))


def first_cells(header: str) -> set[str]:
    """What stands in the first column of the table that begins so."""
    table = PAGE.partition(f"| {header} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_every_code_is_explained():
    assert first_cells("code") == {code.value for code in WaitCode}


def test_every_setting_is_explained():
    assert first_cells("setting") == set(Settings.model_fields)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_one(words):
    place = typer.main.get_command(app)
    for word in words.split()[1:]:
        commands = getattr(place, "commands", None)
        if commands is None:  # the rest are arguments
            return
        assert word in commands
        place = commands[word]
