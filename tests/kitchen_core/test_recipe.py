from pathlib import Path

import pytest

from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.workflows.reading import read_recipe

SL_BASIC = Path(__file__).parents[2] / "recipes" / "sl_basic.py"
GOOD = """
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised
recipe = Recipe("mine", "A recipe", supervised, SupervisedConfig(max_steps=3), presets={"big": {"max_steps": 9}})
"""


def written(folder, text, name="mine.py"):
    (folder / name).write_text(text)
    return folder / name


def test_a_recipe_reads_as_its_config_its_presets_and_its_drawing(tmp_path):
    reading = read_recipe(written(tmp_path, GOOD), "big", {"learning_rate": "0.5"})
    assert (reading.name, reading.workflow, reading.files) == ("mine", "supervised", ["mine.py"])
    assert (reading.config["max_steps"], reading.resolved["max_steps"]) == (3, 9)
    assert reading.resolved["learning_rate"] == 0.5
    assert reading.refs == {"model": "model", "dataset": "dataset", "test_dataset": "dataset"}
    assert reading.drawing[0] == "workflow supervised"
    assert reading.config_schema["properties"]["max_steps"]["unit"] == "steps"
    assert {stage["name"] for stage in reading.stages} >= {"LoadDataset", "OptimStep", "SaveFinal"}


def test_a_revision_holds_the_modules_that_the_recipe_imports_from_its_folder(tmp_path):
    (tmp_path / "rewards").mkdir()
    written(tmp_path / "rewards", "", "__init__.py")
    written(tmp_path / "rewards", "LIMIT = 7", "limits.py")
    written(tmp_path, "unrelated = 1", "other.py")
    text = "from rewards.limits import LIMIT" + GOOD.replace("max_steps=3", "max_steps=LIMIT")
    reading = read_recipe(written(tmp_path, text))
    assert reading.config["max_steps"] == 7
    assert reading.files == ["mine.py", "rewards/__init__.py", "rewards/limits.py"]


BROKEN = {
    "syntax error": ("def f(:\n    pass", r"mine\.py:1: syntax error"),
    "raises": ("x = 1\ny = 1 / 0\n", r"mine\.py:2: ZeroDivisionError: division by zero"),
    "no recipe": ("x = 1", r"defines no `recipe = Recipe"),
    "bad preset": (
        GOOD.replace('{"max_steps": 9}', '{"max_stps": 9}'),
        "preset big: unknown setting",
    ),
    "bad value": (
        GOOD.replace("max_steps=3", "max_steps=0"),
        r"mine\.py:4: SupervisedConfig: max_steps: given 0, expected 1 or more",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_recipe_is_told_in_one_line_with_file_and_line(case, tmp_path):
    text, message = BROKEN[case]
    with pytest.raises(RecipeError, match=message):
        read_recipe(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"nothing\.py: no such recipe file"):
        read_recipe(tmp_path / "nothing.py")


def test_an_unknown_preset_suggests_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="unknown preset 'bog'; did you mean 'big'"):
        read_recipe(written(tmp_path, GOOD), "bog")


@pytest.mark.parametrize("preset", [None, "gpu", "paper"])
def test_the_shipped_recipe_reads_with_every_preset(preset):
    assert read_recipe(SL_BASIC, preset).resolved["seed"] == 0
