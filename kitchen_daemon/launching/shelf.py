"""The shelf: every recipe there is, by name. The user's own folder comes before those that ship."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import kitchen_core
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.train.naming import nearest
from kitchen_daemon.launching.checking import read_apart
from kitchen_daemon.models import RecipeDetail, RecipeSummary

READERS = 4
"""How many recipes are read at the same time."""

Stamp: TypeAlias = frozenset[tuple[Path, int, int]]
"""Path, mtime in ns and size of all that reading a recipe may depend on."""


class Shelf:
    """Finds and describes recipes. Safe to share between threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[Path, tuple[Stamp, RecipeSummary]] = {}

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
        """Every recipe, in order of name; a broken one carries its error.

        What has not changed since it was listed last is not read again.
        """
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(self._summary, sorted(self._paths().values(), key=_name)))

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

    def _summary(self, path: Path) -> RecipeSummary:
        stamp = _stamp(path.parent)  # before reading, so that a change meanwhile is seen next time
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = (stamp, self._read(path))
        return known[1]

    def _read(self, path: Path) -> RecipeSummary:
        shipped = self._is_shipped(path)
        try:
            reading = read_apart(path)
        except RecipeError as error:
            return RecipeSummary(
                name=_name(path), path=str(path), shipped=shipped, error=str(error)
            )
        return RecipeSummary(
            name=_name(path),
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


def _name(path: Path) -> str:
    return path.stem


def _stamp(folder: Path) -> Stamp:
    """Changes with the folder's modules, and with what is installed: that may be all that a recipe lacks."""
    stamp = set()
    for path in (*folder.rglob("*.py"), *map(Path, sys.path)):
        with suppress(OSError):  # gone meanwhile, or never there
            found = path.stat()
            stamp.add((path, found.st_mtime_ns, found.st_size))
    return frozenset(stamp)


def _recipes_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The recipe files of a folder: those that set `recipe` at the top level, so that helpers
    beside them are left out.
    """
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        if any(line.startswith(("recipe =", "recipe:")) for line in _lines(path)):
            yield _name(path), path


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
