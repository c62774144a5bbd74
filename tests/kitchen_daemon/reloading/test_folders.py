"""Recipe folders come, go, move, and lead elsewhere."""

from __future__ import annotations

import shutil

import pytest

from kitchen_core.recipe import RecipeError
from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.launching import folders
from kitchen_daemon.launching.choosing import Recipes
from tests.kitchen_daemon.reloading.conftest import recipe


async def test_a_new_recipe_is_there_and_a_deleted_one_gone_but_for_its_revisions(live):
    live.write("new", "new")
    await live.becomes("new", "new")
    live.path("new").unlink()
    assert (await live.next("new")).kind is EventKind.RECIPE_REMOVED
    assert [each.name for each in live.shelf.summaries()] == ["mine"]
    with pytest.raises(RecipeError, match="unknown recipe 'new'; there are: mine"):
        live.shelf.find("new")
    assert Recipes(live.store, live.shelf).read("new", "good").reading.description == "new"


async def test_a_renamed_recipe_is_another_one(live):
    live.path().rename(live.path("yours"))
    assert (await live.next()).kind is EventKind.RECIPE_REMOVED
    await live.becomes("first", "yours")


async def test_a_file_that_is_no_recipe_any_more_is_gone(live):
    live.path().write_text("x = 1")
    assert (await live.next()).kind is EventKind.RECIPE_REMOVED


async def test_a_folder_that_comes_later_is_seen_and_so_is_the_next_of_its_name(watched):
    shutil.rmtree(watched.home.recipes)
    watched.shelf.folders = (watched.home.recipes / "deep" / "down",)
    folder = watched.shelf.folders[0]
    async with watched.reloading():
        for text in ("first", "second"):
            folder.mkdir(parents=True)
            (folder / "mine.py").write_text(recipe(text))
            await watched.becomes(text)
            (folder / "mine.py").write_text(recipe(text + " edited"))
            await watched.becomes(text + " edited")
            shutil.rmtree(watched.home.recipes)
            assert (await watched.next()).kind is EventKind.RECIPE_REMOVED


async def test_a_folder_that_is_swapped_for_another_is_read_anew(live):
    other = live.home.root / "other"
    other.mkdir()
    (other / "mine.py").write_text(recipe("swapped"))
    live.home.recipes.rename(live.home.root / "old")
    other.rename(live.home.recipes)
    event = await live.next()
    if event.kind is EventKind.RECIPE_REMOVED:  # where it was looked at between the two
        event = await live.next()
    assert live.shown().description == "swapped"
    live.write("edited")
    await live.becomes("edited")


async def test_links_are_followed_to_what_they_lead_to(watched, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "real.py").write_text(recipe("linked", imports="import beside"))
    (elsewhere / "beside.py").write_text("x = 1")
    watched.path().unlink()
    watched.path().symlink_to(elsewhere / "real.py")
    async with watched.reloading():
        await watched.becomes("linked")
        (elsewhere / "real.py").write_text(recipe("edited", imports="import beside"))
        await watched.becomes("edited")
        (elsewhere / "beside.py").write_text("x = 2")
        assert (await watched.becomes("edited"))["files"] == ["beside.py"]
        (elsewhere / "next.py").write_text(recipe("led on"))
        watched.path().unlink()
        watched.path().symlink_to(elsewhere / "next.py")
        await watched.becomes("led on")


async def test_a_linked_folder_is_watched_and_so_is_the_link(watched, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(recipe(name))
    shutil.rmtree(watched.home.recipes)
    watched.home.recipes.symlink_to(tmp_path / "one")
    async with watched.reloading():
        await watched.becomes("one")
        (tmp_path / "one" / "mine.py").write_text(recipe("edited"))
        await watched.becomes("edited")
        (tmp_path / "link").symlink_to(tmp_path / "two")
        (tmp_path / "link").replace(watched.home.recipes)
        await watched.becomes("two")


async def test_of_recipes_with_one_name_the_first_folder_s_counts(watched, tmp_path):
    named = tmp_path / "named"
    named.mkdir()
    (named / "mine.py").write_text(recipe("named"))
    watched.shelf.folders = (watched.home.recipes, named)
    async with watched.reloading():
        await watched.becomes("first")
        watched.path().unlink()
        await watched.becomes("named")
        watched.write("first again")
        await watched.becomes("first again")


def test_a_folder_with_too_many_below_is_looked_at_where_it_is_nearest(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MOST_DIRECTORIES", 3)
    for name in "abcde":
        (tmp_path / name / "deep").mkdir(parents=True)
    sight = folders.look_at([tmp_path])
    assert sight.untidy == [tmp_path]
    below = {path for path in sight.directories if path.is_relative_to(tmp_path)}
    assert below == {tmp_path, tmp_path / "a", tmp_path / "b"}
