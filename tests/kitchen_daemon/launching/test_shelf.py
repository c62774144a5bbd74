"""The list of recipes: read once a change, each in its own time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kitchen_core.home import Home
from kitchen_daemon.launching.shelf import Shelf

COUNTED = """
import os
from pathlib import Path
with Path(__file__).with_name("readings").open("a") as log:
    log.write(".")
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised
recipe = Recipe("mine", "As it was", supervised, SupervisedConfig())
"""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.recipes.mkdir()
    return home


def listed(shelf: Shelf) -> dict[str, str | None]:
    """Each recipe's description, or its error."""
    return {recipe.name: recipe.error or recipe.description for recipe in shelf.summaries()}


def readings(home: Home) -> int:
    return len((home.recipes / "readings").read_text())


def changed(path: Path, text: str) -> None:
    """Written, with an mtime that no clock's grain can make equal to the last one."""
    then = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(then + 1, then + 1))


def test_the_recipes_of_the_home_stand_beside_those_that_ship_in_order_of_name(home):
    changed(home.recipes / "mine.py", COUNTED)
    names = list(listed(Shelf(home)))
    assert {"mine", "sl_basic"} <= set(names)
    assert names == sorted(names)


def test_a_recipe_is_read_once_until_its_folder_changes(home):
    shelf, recipe = Shelf(home), home.recipes / "mine.py"
    changed(recipe, COUNTED)
    assert [listed(shelf)["mine"], listed(shelf)["mine"]] == ["As it was", "As it was"]
    assert readings(home) == 1
    changed(recipe, COUNTED.replace("As it was", "As it is."))
    assert listed(shelf)["mine"] == "As it is."
    (home.recipes / "parts").mkdir()
    changed(home.recipes / "parts" / "helper.py", "")
    listed(shelf)
    assert readings(home) == 3


def test_a_broken_recipe_is_paid_for_once_and_mended_by_its_helper(home):
    shelf = Shelf(home)
    changed(home.recipes / "helper.py", "x = 1 / 0")
    changed(home.recipes / "mine.py", COUNTED + "import helper\n")
    for _ in range(2):
        assert "ZeroDivisionError" in str(listed(shelf)["mine"])
    assert readings(home) == 1
    changed(home.recipes / "helper.py", "x = 1 / 1")
    assert listed(shelf)["mine"] == "As it was"


def test_recipes_are_read_side_by_side(home):
    """Each of the two goes on once the other has begun too: a fifo opens when both ends do."""
    os.mkfifo(home.recipes / "meeting")
    for name, mode in (("a", "r"), ("b", "w")):
        meet = f"open(__file__.replace('{name}.py', 'meeting'), '{mode}')\n"
        changed(home.recipes / f"{name}.py", meet + COUNTED)
    found = listed(Shelf(home))
    assert (found["a"], found["b"]) == ("As it was", "As it was")


def test_what_is_installed_meanwhile_is_seen(home, tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    changed(home.recipes / "mine.py", COUNTED)
    shelf = Shelf(home)
    listed(shelf)
    (site / "new-1.0.dist-info").mkdir()
    os.utime(site, ns=(1, 1))
    listed(shelf)
    assert readings(home) == 2
