"""Recipes: a Python file that says what to train, by which workflow, with which numbers.

Loading runs the user's code, so the daemon does it in a process of its own.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from kitchen_core.config import ConfigError, RunConfig, with_overrides
from kitchen_core.explaining import explain
from kitchen_core.recipe_files import RecipeFiles
from kitchen_core.train.naming import nearest


class RecipeError(ValueError):
    """A recipe that can't be used; the message is one line and names the file, and the line
    where there is one.
    """


class RecipeWorkflow(Protocol):
    """What a recipe needs to know of a workflow."""

    @property
    def name(self) -> str:
        """The workflow's name."""
        ...

    @property
    def config(self) -> type[RunConfig]:
        """The workflow's config model."""
        ...


@dataclass(frozen=True)
class Recipe:
    """What to train.

    presets: named overrides of the config. requires: names of the distributions that the recipe's
    own code needs, as `pip install` takes them, without versions.
    """

    name: str
    description: str
    workflow: RecipeWorkflow
    config: RunConfig
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    requires: tuple[str, ...] = ()

    def resolved(self, preset: str | None, overrides: Mapping[str, Any]) -> RunConfig:
        """The config with a preset and then overrides applied. Raises ConfigError."""
        config = self.config
        if preset is not None:
            if preset not in self.presets:
                known = ", ".join(self.presets) or "none"
                hint = nearest(preset, list(self.presets)) or f"; this recipe has: {known}"
                raise ConfigError(f"unknown preset '{preset}'{hint}")
            config = with_overrides(config, self.presets[preset], f"preset {preset}")
        return with_overrides(config, overrides)


class LoadedRecipe(NamedTuple):
    """A recipe and the files it was made of: its own and every module of its folder that these
    import, inside functions too.
    """

    recipe: Recipe
    files: RecipeFiles


def load_recipe(path: Path, files: RecipeFiles | None = None) -> LoadedRecipe:
    """Import a recipe file. Raises RecipeError with file and line where its code fails.

    From here on the process imports from the file's folder first. files: takes what is read, also where this fails.
    """
    files = RecipeFiles(path) if files is None else files
    files.import_from_here()
    module = _imported(path, files)
    recipe = getattr(module, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"{path}: defines no `recipe = Recipe(...)`")
    _check_recipe(recipe, path)
    files.follow_imports()
    return LoadedRecipe(recipe, files)


def _imported(path: Path, files: RecipeFiles) -> ModuleType:
    if not path.is_file():
        raise RecipeError(f"{path}: no such recipe file")
    if path.suffix != ".py":
        raise RecipeError(f"{path}: not a Python file")
    name = f"kitchen_recipe_{path.stem}"
    loader = files.loader(name, str(files.recipe))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None  # the loader knows its file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        raise RecipeError(f"{error.filename}:{error.lineno}: syntax error: {error.msg}") from None
    except ValidationError as error:
        place = _place(error, files.recipe)
        raise RecipeError(
            f"{place}: {error.title}: {explain(error, _config_named(error.title))}"
        ) from None
    except Exception as error:  # whatever the user's code raises is theirs to read
        place = _place(error, files.recipe)
        raise RecipeError(f"{place}: {type(error).__name__}: {error}") from None
    return module


def _config_named(name: str) -> type[RunConfig] | None:
    """The kind of config that pydantic's error names: it does not tell which class that is, and the class knows
    which settings there are.
    """
    kinds = [RunConfig]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in reversed(kinds) if kind.__name__ == name), None)


def _place(error: Exception, path: Path) -> str:
    """The deepest line of the recipe's folder that the error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(path.parent)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else str(path)


def _check_recipe(recipe: Recipe, path: Path) -> None:
    if not isinstance(recipe.config, recipe.workflow.config):
        raise RecipeError(
            f"{path}: config is a {type(recipe.config).__name__}; "
            f"workflow {recipe.workflow.name} reads a {recipe.workflow.config.__name__}"
        )
    for name in recipe.presets:
        try:
            recipe.resolved(name, {})
        except ConfigError as error:
            raise RecipeError(f"{path}: {error}") from None
