"""Reading a recipe for others: everything that a form, a list or a submission needs, as JSON.

This runs the recipe's code, so the daemon calls it in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kitchen_core.config import ConfigError, RefRole, RunConfig, ref_fields
from kitchen_core.explaining import explain
from kitchen_core.recipe import Recipe, RecipeError, load_recipe
from kitchen_core.recipe_files import RecipeFiles
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.workflow.checking import check
from kitchen_core.workflow.drawing import draw
from kitchen_core.workflow.graph import GraphError, Workflow
from kitchen_core.workflows.registry import stage_schemas


class RecipeReading(BaseModel):
    """A recipe as read. config: its own values; resolved: with preset and overrides. refs: config key to role.
    sources: of each file that it is made of, from its folder on, the bytes.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    name: str
    path: str
    description: str
    workflow: str
    presets: dict[str, dict[str, Any]]
    requires: list[str]
    ports: list[PortName]
    config: dict[str, Any]
    config_schema: dict[str, Any]
    resolved: dict[str, Any]
    refs: dict[str, RefRole]
    drawing: list[str]
    stages: list[dict[str, Any]]
    sources: dict[str, bytes]

    @property
    def files(self) -> list[str]:
        """The names in `sources`."""
        return list(self.sources)


def read_recipe(
    path: Path,
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    files: RecipeFiles | None = None,
) -> RecipeReading:
    """Load a recipe, check its workflow, and resolve its config. Raises RecipeError or ConfigError.

    files: takes what is read, also where this fails.
    """
    loaded = load_recipe(path, files)
    recipe = loaded.recipe
    _check_requires(recipe, path)
    workflow = recipe.workflow
    if not isinstance(workflow, Workflow):
        raise RecipeError(f"{path}: workflow is a {type(workflow).__name__}, expected a Workflow")
    try:
        check(workflow)
    except GraphError as error:
        raise RecipeError(f"{path}: {error}") from None
    try:
        resolved = recipe.resolved(preset, overrides or {})
    except ConfigError as error:
        raise ConfigError(f"recipe {recipe.name}: {error}") from None
    return RecipeReading(
        name=recipe.name,
        path=str(loaded.files.recipe),
        description=recipe.description,
        workflow=workflow.name,
        presets={name: dict(values) for name, values in recipe.presets.items()},
        requires=list(recipe.requires),
        ports=list(workflow.ports),
        config=recipe.config.model_dump(mode="json"),
        config_schema=type(recipe.config).model_json_schema(),
        resolved=resolved.model_dump(mode="json"),
        refs={field.name: field.role for field in ref_fields(type(recipe.config))},
        drawing=draw(workflow),
        stages=stage_schemas(workflow),
        sources=_by_name(loaded.files),
    )


def _by_name(files: RecipeFiles) -> dict[str, bytes]:
    taken = sorted(files.taken.items())
    return {file.relative_to(files.folder).as_posix(): content for file, content in taken}


def _check_requires(recipe: Recipe, path: Path) -> None:
    missing = " ".join(name for name in recipe.requires if not _is_installed(name))
    if missing:
        raise RecipeError(f"{path}: needs what is not installed: pip install {missing}")


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def load_for_run(path: Path, config: Mapping[str, Any]) -> tuple[Workflow, RunConfig]:
    """The workflow and the frozen config of a run, from its pinned revision. Raises RecipeError, and
    ConfigError where the config was frozen by another version, whose settings were others.

    From here on the process imports from the revision first.
    """
    recipe = load_recipe(path).recipe
    if not isinstance(recipe.workflow, Workflow):
        raise RecipeError(f"{path}: workflow is no Workflow")
    kind = type(recipe.config)
    try:
        return recipe.workflow, kind.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigError(
            f"queued by another version of the kitchen: {explain(error, kind)}; queue it again with: "
            f"kitchen run {recipe.name}"
        ) from None
