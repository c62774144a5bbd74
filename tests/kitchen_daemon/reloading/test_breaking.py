"""A recipe that can't be loaded is told, with what still runs."""

from __future__ import annotations

import os

import pytest

from kitchen_daemon.launching.choosing import BrokenRecipe, Recipes
from kitchen_daemon.reloading import readings
from tests.kitchen_daemon.reloading.conftest import DEADLINE_S, recipe

BROKEN = {
    "syntax error": ("def f(:\n" + recipe("x"), r"mine.py:1: syntax error: invalid syntax"),
    "import error": (recipe("x", imports="import nowhere"), "mine.py:4: ModuleNotFoundError"),
    "raises": (recipe("x", imports="1 / 0"), "mine.py:4: ZeroDivisionError"),
    "exits": (recipe("x", imports="raise SystemExit(3)"), "ended while loading (exit code 3)"),
}


@pytest.fixture
def within(monkeypatch):
    """So many seconds in place of ten for a recipe to load."""
    read = readings.read_settled

    def set_to(seconds):
        monkeypatch.setattr(
            readings,
            "read_settled",
            lambda path, **options: read(path, seconds=seconds, **options),
        )

    return set_to


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_recipe_is_told_and_its_last_good_revision_stays(live, case):
    text, error = BROKEN[case]
    good = live.shown()
    live.path().write_text(text)
    told = await live.breaks()
    assert error in told["error"]
    assert len(told["error"].splitlines()) == 1
    assert told["good"] == good.revision
    shown = live.shown()
    assert (shown.error, shown.revision, shown.revised_at) == (
        told["error"],
        good.revision,
        good.revised_at,
    )
    live.write("mended")
    assert (await live.becomes("mended"))["previous"] == good.revision


async def test_a_break_that_is_undone_is_told_as_the_good_revision(live):
    good = live.shown().revision
    live.path().write_text("recipe = 1 +")
    await live.breaks()
    live.write("first")
    told = await live.becomes("first")
    assert (told["sha256"], told["files"]) == (good, [])


async def test_an_endless_loop_holds_nobody_up_and_is_left_at_once_when_it_is_mended(live, within):
    within(10 * DEADLINE_S)
    live.write("loops", imports="while True: pass")
    for text in ("one", "two"):
        live.write(text, "other")
        await live.becomes(text, "other")
    live.write("mended")
    await live.becomes("mended")


async def test_a_dozen_endless_loops_hold_nobody_up(live, within):
    within(10 * DEADLINE_S)
    for number in range(12):
        live.write("loops", f"loop{number}", imports="import time\nwhile True: time.sleep(0.1)")
    for text in ("one", "two"):
        live.write(text, "other")
        await live.becomes(text, "other")
    for number in range(12):
        live.path(f"loop{number}").unlink()


async def test_an_endless_loop_is_told_when_its_time_is_up(live, within):
    within(1)
    live.write("loops", imports="while True: pass")
    assert (await live.breaks())["error"].endswith("mine.py: did not load within 1 s")


async def test_what_a_recipe_prints_without_end_goes_nowhere(live, within, capfd):
    within(1)
    live.write("talks", imports="while True: print('still here' * 99)")
    assert "did not load within 1 s" in (await live.breaks())["error"]
    assert "still here" not in "".join(capfd.readouterr())


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
async def test_a_recipe_that_may_not_be_read_any_more_is_broken(live):
    live.path().chmod(0)
    assert "PermissionError" in (await live.breaks())["error"]
    live.path().chmod(0o600)
    await live.becomes("first")


async def test_what_is_installed_meanwhile_mends_a_recipe(watched, tmp_path, monkeypatch):
    """A reading's process looks where the daemon does; here the recipe itself does so."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    async with watched.reloading():
        await watched.becomes("first")
        looking = f"import sys; sys.path.append({str(site)!r}); import just_installed"
        watched.write("needs it", imports=looking)
        await watched.breaks()
        (site / "just_installed.py").write_text("")
        await watched.becomes("needs it")


async def test_a_launch_of_a_broken_recipe_says_which_version_still_runs(live):
    recipes = Recipes(live.store, live.shelf)
    good = live.shown().revision
    live.path().write_text("def f(:\n" + recipe("x"))
    with pytest.raises(BrokenRecipe, match=r"mine\.py:1: syntax error") as refused:
        recipes.read("mine")
    assert refused.value.hint.endswith("still runs: kitchen run mine --revision good")
    chosen = recipes.read("mine", "good", overrides={"max_steps": "7"})
    assert (chosen.revision.sha256, chosen.reading.resolved["max_steps"]) == (good, 7)
    await live.breaks()
    assert recipes.read("mine", good[:8]).revision.sha256 == good
    assert [each.sha256 for each in recipes.detail("mine", "good").revisions] == [good]
