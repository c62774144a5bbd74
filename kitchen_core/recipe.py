"""Recipes: a Python file that says what to train, by which workflow, with which numbers.

Loading runs the user's code, so the daemon does it in a process of its own.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from pydantic import ValidationError

from kitchen_core.config import ConfigError, RunConfig, with_overrides
from kitchen_core.explaining import explain
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


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe and the files it was made of: its own and every module of its folder that these
    import, inside functions too.
    """

    recipe: Recipe
    path: Path
    files: tuple[Path, ...]


def load_recipe(path: Path) -> LoadedRecipe:
    """Import a recipe file. Raises RecipeError with file and line where its code fails.

    The file's folder stays on `sys.path`, for the recipe's functions may import from it when they
    run; so this is for processes that read or run one recipe. No bytecode is written: it would add
    to a stored revision, and hide an edit that keeps size and second.
    """
    folder = path.resolve().parent
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    module = _imported(path.resolve())
    recipe = getattr(module, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"{path}: defines no `recipe = Recipe(...)`")
    _check_recipe(recipe, path)
    loaded = [sys.modules[name] for name in set(sys.modules) - before]
    return LoadedRecipe(recipe, path.resolve(), _files_below(folder, path.resolve(), loaded))


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise RecipeError(f"{path}: no such recipe file")
    spec = importlib.util.spec_from_file_location(f"kitchen_recipe_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise RecipeError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise RecipeError(f"{error.filename}:{error.lineno}: syntax error: {error.msg}") from None
    except ValidationError as error:
        raise RecipeError(f"{_place(error, path)}: {error.title}: {explain(error)}") from None
    except Exception as error:  # whatever the user's code raises is theirs to read
        raise RecipeError(f"{_place(error, path)}: {type(error).__name__}: {error}") from None
    return module


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


def _files_below(folder: Path, path: Path, modules: list[ModuleType]) -> tuple[Path, ...]:
    origins = [getattr(module, "__file__", None) for module in modules]
    found = [path, *(Path(origin).resolve() for origin in origins if origin)]
    files: set[Path] = set()
    while found:
        file = found.pop()
        if file.suffix == ".py" and file.is_relative_to(folder) and file not in files:
            files.add(file)
            found += _imports_of(file, folder)
    return tuple(sorted(files))


def _imports_of(file: Path, folder: Path) -> Iterator[Path]:
    """The files below the folder that a file's import statements can load, wherever they stand."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # nothing can come of importing it
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _files_of(folder, alias.name)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = file.parents[level - 1] if level else folder
                for alias in names:
                    yield from _files_of(start, f"{module}.{alias.name}" if module else alias.name)
            case _:
                continue


def _files_of(start: Path, dotted: str) -> Iterator[Path]:
    """The module that a dotted name leads to and the packages on the way, as far as they are
    files.
    """
    place = start
    for part in dotted.split("."):
        place = place / part
        for file in (place / "__init__.py", place.with_name(f"{part}.py")):
            if file.is_file():
                yield file.resolve()
