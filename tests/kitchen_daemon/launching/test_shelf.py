"""The shelf finds recipes by name, and lists what the reloader has put on it."""

from __future__ import annotations

from threading import Thread

import pytest

from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.models import RecipeSummary
from kitchen_daemon.settings import Settings

SOURCE = "recipe = None"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.recipes.mkdir()
    return home


def summary(name: str) -> RecipeSummary:
    return RecipeSummary(name=name, path=f"/{name}.py")


def test_the_home_s_recipes_come_before_those_of_the_settings_and_those_before_what_ships(home):
    named = home.root / "named"
    named.mkdir()
    shelf = Shelf(home, Settings(recipe_folders=("named",)))
    for name in ("mine", "sl_basic"):
        (named / f"{name}.py").write_text(SOURCE)
    (home.recipes / "mine.py").write_text(SOURCE)
    assert shelf.find("mine") == home.recipes / "mine.py"
    assert shelf.find("sl_basic") == named / "sl_basic.py"
    assert shelf.is_shipped(shelf.find("dpo"))
    with pytest.raises(RecipeError, match="unknown recipe 'dp'; did you mean 'dpo'"):
        shelf.find("dp")


def test_a_helper_is_no_recipe(home):
    (home.recipes / "helper.py").write_text("def recipe(): pass")
    with pytest.raises(RecipeError, match="unknown recipe"):
        Shelf(home).find("helper")


def test_a_list_waits_for_what_was_never_read_and_for_nothing_else(home):
    shelf = Shelf(home)
    lists = []
    asking = Thread(target=lambda: lists.append([each.name for each in shelf.summaries()]))
    asking.start()
    shelf.expect(["b", "a", "gone"])
    shelf.put(summary("b"))
    shelf.put(summary("a"))
    assert not lists
    shelf.drop("gone")
    asking.join(30)
    assert lists == [["a", "b"]]
    shelf.drop("a")
    assert [each.name for each in shelf.summaries()] == ["b"]
