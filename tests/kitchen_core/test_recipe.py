import shutil
import sys
from pathlib import Path

import pytest

from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.workflow.graph import stages_of
from kitchen_core.workflows.reading import load_for_run, read_recipe

SL_BASIC = Path(__file__).parents[2] / "recipes" / "sl_basic.py"
GOOD = """
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised
recipe = Recipe("mine", "A recipe", supervised, SupervisedConfig(max_steps=3), presets={"big": {"max_steps": 9}})
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a recipe imports is gone after its test, as it is with the process that reads it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith("kitchen_core"):
            del sys.modules[name]


def written(folder, text, name="mine.py"):
    (folder / name).write_text(text)
    return folder / name


def test_a_recipe_reads_as_its_config_its_presets_and_its_drawing(tmp_path):
    reading = read_recipe(written(tmp_path, GOOD), "big", {"learning_rate": "0.5"})
    assert (reading.name, reading.workflow, reading.files) == ("mine", "supervised", ["mine.py"])
    assert (reading.config["max_steps"], reading.resolved["max_steps"]) == (3, 9)
    assert reading.resolved["learning_rate"] == 0.5
    assert reading.refs == {
        "model": "model",
        "dataset": "dataset",
        "test_dataset": "dataset",
        "mix": "dataset",
    }
    assert reading.drawing[0] == "workflow supervised"
    assert reading.config_schema["properties"]["max_steps"]["unit"] == "steps"
    assert "qwen3" in reading.config_schema["properties"]["renderer"]["enum"]
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


LAZY = """
from kitchen_core import Recipe, RunConfig
from kitchen_core.workflow.graph import Workflow, stage
from kitchen_core.workflow.stage import Stage

class Late(Stage):
    name = "Late"
    async def run(self, ctx):
        import grading
        return grading.limit()

recipe = Recipe("lazy", "Imports when it runs", Workflow("late", "", RunConfig, (stage(Late()),)), RunConfig())
"""


@pytest.fixture
def lazy(tmp_path):
    """A recipe that imports a module only when it runs; that one imports from a package, late as well."""
    folder = tmp_path / "recipes"
    (folder / "parts").mkdir(parents=True)
    written(
        folder,
        "def limit():\n    from parts import limits\n    return limits.limit()",
        "grading.py",
    )
    written(folder / "parts", "", "__init__.py")
    written(
        folder / "parts",
        "def limit():\n    from .numbers import SEVEN\n    return SEVEN",
        "limits.py",
    )
    written(folder / "parts", "import json, grading\nSEVEN = 7", "numbers.py")
    written(folder / "parts", "def broken(:", "unrelated.py")
    return written(folder, LAZY)


LAZY_FILES = [
    "grading.py",
    "mine.py",
    "parts/__init__.py",
    "parts/limits.py",
    "parts/numbers.py",
]


def test_a_revision_holds_what_is_imported_only_when_it_runs(lazy):
    assert read_recipe(lazy).files == LAZY_FILES


async def test_a_run_imports_from_its_revision_when_it_runs(lazy, tmp_path):
    revision = tmp_path / "revision"
    for file in LAZY_FILES:
        (revision / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lazy.parent / file, revision / file)
    shutil.rmtree(lazy.parent)
    workflow, _ = load_for_run(revision / lazy.name, {})
    (late,) = stages_of(workflow.body)
    assert await late.run(None) == 7


def test_a_run_whose_settings_another_version_froze_says_so_in_one_line(lazy):
    with pytest.raises(ConfigError) as refused:
        load_for_run(lazy, {"max_stepz": 3})
    assert str(refused.value).startswith(
        "queued by another version of the kitchen: unknown setting 'max_stepz'"
    )
    assert len(str(refused.value).splitlines()) == 1


def test_a_recipe_says_what_must_be_installed_for_it(tmp_path):
    def requiring(*names):
        return written(tmp_path, GOOD.replace("presets=", f"requires={names!r}, presets="))

    with pytest.raises(
        RecipeError, match=r"mine\.py: needs .*: pip install no-such-thing nor-this$"
    ):
        read_recipe(requiring("no-such-thing", "pydantic", "nor-this"))
    assert read_recipe(requiring("pydantic")).requires == ["pydantic"]


BROKEN = {
    "syntax error": ("def f(:\n    pass", r"mine\.py:1: syntax error"),
    "raises": ("x = 1\ny = 1 / 0\n", r"mine\.py:2: ZeroDivisionError: division by zero"),
    "no recipe": ("x = 1", r"defines no `recipe = Recipe"),
    "bad preset": (
        GOOD.replace('{"max_steps": 9}', '{"max_stps": 9}'),
        "preset big: unknown setting",
    ),
    "slip of the pen": (
        GOOD.replace("max_steps=3", "max_stps=3"),
        r"SupervisedConfig: unknown setting 'max_stps'; did you mean 'max_steps'\?",
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
