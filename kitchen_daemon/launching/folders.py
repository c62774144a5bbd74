"""Where recipes lie: the user's own folder, those that the settings name, and the one that ships; of recipes with
the same name the first counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import kitchen_core
from kitchen_core.home import Home
from kitchen_core.recipe_files import is_others
from kitchen_daemon.settings import Settings

MOST_DIRECTORIES = 1000
"""How many directories of a recipe folder are looked at, the nearest first."""

Stamp: TypeAlias = tuple[int, int, int, int]
"""Inode, size, and the ns of the last change to content and to anything: another one where a file may have changed."""


@dataclass
class Sight:
    """What lies in the recipe folders at one moment.

    recipes: by name. stamps: of every module, and of the directories where packages are installed. directories:
    where a change may mean that another look is due. untidy: folders that hold too much to be looked at whole.
    """

    recipes: dict[str, Path] = field(default_factory=dict)
    stamps: dict[Path, Stamp] = field(default_factory=dict)
    directories: set[Path] = field(default_factory=set)
    installed: set[Path] = field(default_factory=set)
    untidy: list[Path] = field(default_factory=list)


def recipe_folders(home: Home, settings: Settings) -> tuple[Path, ...]:
    """All of them, those first that count first."""
    named = [home.root / folder.expanduser() for folder in settings.recipe_folders]
    return (home.recipes, *named, shipped_folder())


def shipped_folder() -> Path:
    """The recipes of the installed package, or of the source tree that it is run from."""
    package = Path(kitchen_core.__file__).parent
    installed = package / "_recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def find_recipes(folders: Iterable[Path]) -> dict[str, Path]:
    """Every recipe by name, in order of name."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in _modules_in(folder):
            if path.stem not in found and is_recipe(path):
                found[path.stem] = path
    return dict(sorted(found.items()))


def find_recipe(folders: Iterable[Path], name: str) -> Path | None:
    """One recipe, by name."""
    paths = (folder / f"{name}.py" for folder in folders)
    return next((path for path in paths if is_recipe(path)), None)


def is_recipe(path: Path) -> bool:
    """Whether a file sets `recipe` at its top level, so that it is no helper. One that may not be read may be one."""
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except PermissionError:
        return True
    except OSError:
        return False
    return any(line.startswith((b"recipe =", b"recipe:")) for line in lines)


def look_at(folders: Iterable[Path], more: Iterable[Path] = ()) -> Sight:
    """Look at the folders, and at more files wherever they lie."""
    folders = tuple(folders)
    sight = Sight(recipes=find_recipes(folders))
    for folder in folders:
        if not _can_be_watched(folder):
            sight.directories.add(_nearest(folder))
            continue
        if folder.is_symlink():
            sight.directories.add(folder.parent)
        directories = _own_directories(folder)
        if len(directories) > MOST_DIRECTORIES:
            sight.untidy.append(folder)
        for directory in directories[:MOST_DIRECTORIES]:
            sight.directories.add(directory)
            for module in _modules_in(directory):
                _see(module, sight)
    for file in more:
        _see(file, sight)
    sight.installed = {place for place in map(Path, sys.path) if _can_be_watched(place)}
    for place in sight.installed:
        _stamp(place, sight)
        sight.directories.add(place)
    return sight


def _see(file: Path, sight: Sight) -> None:
    """Note a module, and watch where it really lies."""
    _stamp(file, sight)
    sight.directories.add(file.resolve().parent)


def _stamp(path: Path, sight: Sight) -> None:
    with suppress(OSError):  # gone meanwhile
        found = path.stat()
        sight.stamps[path] = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _nearest(folder: Path) -> Path:
    """The folder of those above one that exists: there it will be seen to come."""
    return next(parent for parent in folder.parents if _can_be_watched(parent))


def _can_be_watched(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)


def _own_directories(folder: Path) -> list[Path]:
    """A folder and those below that are the user's own, the nearest first; one more than are looked at at most."""
    found = [folder]
    for directory in found:
        if len(found) > MOST_DIRECTORIES:
            break
        found += sorted(_directories_in(directory))
    return found


def _directories_in(directory: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not is_others(entry.name):
                path = Path(entry.path)
                if _can_be_watched(path) and not (path / "pyvenv.cfg").exists():
                    yield path


def _modules_in(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.glob("*.py") if not path.name.startswith("."))
    except OSError:
        return []
