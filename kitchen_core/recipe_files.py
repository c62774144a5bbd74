"""The files that a recipe is made of, taken as they are read: what is kept of a recipe is what was run, byte for
byte, whatever an editor does meanwhile.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import partial
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any

_OTHERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


def is_others(name: str) -> bool:
    """Whether a folder of this name holds what is not the user's own: bytecode, packages, a repository."""
    return name in _OTHERS or name.startswith(".")


class RecipeFiles:
    """The files of a recipe's folder that a process has read; each is read once.

    taken: the bytes of each, the recipe's own file included.
    """

    def __init__(self, recipe: Path) -> None:
        self.recipe = recipe.resolve()
        self.folder = self.recipe.parent
        self.taken: dict[Path, bytes] = {}

    def read(self, file: Path) -> bytes:
        """A file's bytes as they were when it was read first. Raises OSError."""
        if file not in self.taken:
            self.taken[file] = file.read_bytes()
        return self.taken[file]

    def import_from_here(self) -> None:
        """Let this process import from the folder first, and by these bytes. For processes that read or run one
        recipe: its functions may import when they run.
        """
        sys.path.insert(0, str(self.folder))
        sys.path_hooks.insert(0, self._finder)
        for entry in list(sys.path_importer_cache):
            if self._is_own(Path(entry)):
                del sys.path_importer_cache[entry]

    def loader(self, name: str, file: str) -> SourceFileLoader:
        """What makes a module of a file."""
        return _Taking(self, name, file)

    def follow_imports(self) -> None:
        """Take what the import statements in the files can load, wherever they stand: functions import later."""
        found = list(self.taken)
        while found:
            for file in self._imports_of(found.pop()):
                if file not in self.taken and self._is_own(file):
                    self.read(file)
                    found.append(file)

    def _finder(self, entry: str) -> FileFinder:
        if not self._is_own(Path(entry)):
            raise ImportError  # so that the next hook is asked
        taking: Any = partial(
            _Taking, self
        )  # declared as a type of loader; anything that makes one will do
        return FileFinder(entry, (taking, SOURCE_SUFFIXES))

    def _is_own(self, path: Path) -> bool:
        if not path.is_relative_to(self.folder):
            return False
        return not any(is_others(part) for part in path.relative_to(self.folder).parts)

    def _imports_of(self, file: Path) -> Iterator[Path]:
        try:
            tree = ast.parse(self.read(file))
        except (SyntaxError, ValueError):  # nothing can come of importing it
            return
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    for alias in names:
                        yield from _files_of(self.folder, alias.name)
                case ast.ImportFrom(module=module, names=names, level=level):
                    start = file.parents[level - 1] if level else self.folder
                    for alias in names:
                        dotted = f"{module}.{alias.name}" if module else alias.name
                        yield from _files_of(start, dotted)
                case _:
                    continue


class _Taking(SourceFileLoader):
    """Loads a module from bytes that are taken. Bytecode is neither read, for it hides an edit that keeps size and
    second, nor written.
    """

    def __init__(self, files: RecipeFiles, name: str, file: str) -> None:
        super().__init__(name, file)
        self._files = files

    def get_data(self, path: str) -> bytes:
        return self._files.read(Path(path))

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError("no bytecode")


def _files_of(start: Path, dotted: str) -> Iterator[Path]:
    """The module that a dotted name leads to and the packages on the way, as far as they are
    files.
    """
    place = start
    for part in dotted.split("."):
        place = place / part
        for file in (place / "__init__.py", place.with_name(f"{part}.py")):
            if file.is_file():
                yield file
