"""A home's settings: what is read, and what is said of what can't be."""

import sys
from pathlib import Path

import pytest

from kitchen_core.home import Home
from kitchen_daemon.main import main
from kitchen_daemon.settings import DEFAULTS, BadSettings, Settings, read_settings

WRONG = {
    "cpu_slot = 2": "unknown setting 'cpu_slot'; did you mean 'cpu_slots'?",
    "cpu_slots = 0": "cpu_slots: given 0, expected 1 or more",
    "cpu_slots = 'two'": "cpu_slots: given 'two', expected a whole number",
    "recipe_folders = 'mine'": "recipe_folders: given 'mine', expected a list",
    "retries = ": "can't be read: Invalid value (at end of document)",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_without_a_file_the_defaults_hold(home: Home) -> None:
    assert read_settings(home) == DEFAULTS


def test_what_the_file_says_holds_and_the_rest_is_as_ever(home: Home) -> None:
    home.settings.write_text("cpu_slots = 3\nrecipe_folders = ['mine']\n")
    assert read_settings(home) == Settings(cpu_slots=3, recipe_folders=(Path("mine"),))


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_told_in_one_line_with_its_path(home: Home, text: str) -> None:
    home.settings.write_text(text)
    with pytest.raises(BadSettings) as refused:
        read_settings(home)
    assert str(refused.value).startswith(str(home.settings))
    assert str(refused.value).endswith(WRONG[text])


def test_a_daemon_with_wrong_settings_does_not_begin(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.settings.write_text("retries = -1")
    monkeypatch.setattr(sys, "argv", ["kitchen-daemon", "--home", str(home.root)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (
        ended.value.code
        == f"kitchen-daemon: {home.settings}: retries: given -1, expected 0 or more"
    )
    assert [path.name for path in home.root.iterdir()] == ["kitchen.toml"]
