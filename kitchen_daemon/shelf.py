"""The shelf: every recipe there is, by name. The user's own folder comes before those that ship."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kitchen_core
from kitchen_core.config import nearest
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_daemon.checking import read_apart
from kitchen_daemon.models import RecipeDetail, RecipeSummary


class Shelf:
    """Finds and describes recipes."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def find(self, name: str) -> Path:
        """A recipe's file, by name or absolute path.

        Raises RecipeError suggesting the nearest name.
        """
        if name.startswith("/"):
            return Path(name)
        paths = self._paths()
        if name not in paths:
            known = ", ".join(paths)
            raise RecipeError(
                f"unknown recipe '{name}'{nearest(name, list(paths)) or f'; there are: {known}'}"
            )
        return paths[name]

    def summaries(self) -> list[RecipeSummary]:
        """Every recipe, in order of name; a broken one carries its error."""
        return [self._summary(name, path) for name, path in sorted(self._paths().items())]

    def detail(self, name: str) -> RecipeDetail:
        """One recipe whole. Raises RecipeError."""
        path = self.find(name)
        reading = read_apart(path)
        return RecipeDetail(
            name=reading.name,
            path=reading.path,
            description=reading.description,
            workflow=reading.workflow,
            presets=list(reading.presets),
            shipped=self._is_shipped(path),
            config=reading.config,
            config_schema=reading.config_schema,
            preset_values=reading.presets,
            drawing=reading.drawing,
            stages=reading.stages,
            files=reading.files,
        )

    def _summary(self, name: str, path: Path) -> RecipeSummary:
        shipped = self._is_shipped(path)
        try:
            reading = read_apart(path)
        except RecipeError as error:
            return RecipeSummary(name=name, path=str(path), shipped=shipped, error=str(error))
        return RecipeSummary(
            name=name,
            path=str(path),
            description=reading.description,
            workflow=reading.workflow,
            presets=list(reading.presets),
            shipped=shipped,
        )

    def _is_shipped(self, path: Path) -> bool:
        return path.parent == shipped_folder()

    def _paths(self) -> dict[str, Path]:
        shipped = dict(_recipes_in(shipped_folder()))
        return shipped | dict(_recipes_in(self._home.recipes))


def shipped_folder() -> Path:
    """The recipes of the installed package, or of the source tree that it is run from."""
    package = Path(kitchen_core.__file__).parent
    installed = package / "_recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def _recipes_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The recipe files of a folder: those that set `recipe` at the top level, so that helpers
    beside them are left out.
    """
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        if any(line.startswith(("recipe =", "recipe:")) for line in _lines(path)):
            yield path.stem, path


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
