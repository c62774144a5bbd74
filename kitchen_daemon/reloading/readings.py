"""One recipe, read again: it becomes a revision, is broken, or is gone, and the shelf shows it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.store.store import Store
from kitchen_core.workflows.reading import RecipeReading
from kitchen_daemon.launching.checking import Unread
from kitchen_daemon.launching.folders import find_recipe
from kitchen_daemon.launching.revisions import keep_revision
from kitchen_daemon.launching.settling import (
    Unsettled,
    check_not_being_written,
    read_settled,
)
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.models import RecipeSummary
from kitchen_daemon.reloading.telling import Telling


@dataclass(frozen=True)
class Known:
    """What reading a recipe has shown of it. taken: the bytes of each file that it was made of, or that was read
    until it failed.
    """

    path: Path
    taken: Mapping[Path, bytes]
    is_broken: bool

    @property
    def files(self) -> set[Path]:
        """Its own, which may be a link, and those that it was made of."""
        return {self.path, *self.taken}

    def depends_on(self, changed: Set[Path], new: Set[Path]) -> bool:
        """Whether changes to files may change the recipe. A file that is new may be what an import finds first, or
        has not found; of a reading that ended without a word nothing is known.
        """
        if not changed.isdisjoint(self.files):
            return True
        near = {file for file in changed if file.is_relative_to(self.path.parent)}
        if self.is_broken and not self.taken:
            return bool(near)
        return any(self.is_broken or self._mentions(file) for file in near & new)

    def _mentions(self, file: Path) -> bool:
        module = file.parent.name if file.stem == "__init__" else file.stem
        return any(module.encode() in content for content in self.taken.values())


class Readings:
    """Reads recipes for the shelf. Blocks; each recipe is read by one thread at a time."""

    def __init__(self, home: Home, store: Store, shelf: Shelf) -> None:
        self._home = home
        self._store = store
        self._shelf = shelf
        self._telling = Telling(store)
        self.known: dict[str, Known] = {}

    @property
    def names(self) -> set[str]:
        """The recipes that are there, as far as anybody was told."""
        return self._telling.names | set(self.known)

    def read(self, name: str, given_up: int) -> bool:
        """Read a recipe, and tell what is new; False where it is gone. Raises Superseded once there is something to
        read from `given_up`, and Unsettled while it is being written.
        """
        path = find_recipe(self._shelf.folders, name)
        if path is None:
            check_not_being_written(self._shelf.folders, name)
            return False
        try:
            self._is_good(name, path, read_settled(path, given_up=given_up))
        except Unsettled:
            raise
        except (RecipeError, ConfigError) as error:
            self._is_broken(name, path, error)
        return True

    def forget(self, name: str) -> None:
        """Tell that a recipe is gone."""
        self.known.pop(name, None)
        self._shelf.drop(name)
        self._telling.removed(name)

    def files_of(self, name: str) -> set[Path]:
        """The files that a recipe was made of."""
        return self.known[name].files if name in self.known else set()

    def _is_good(self, name: str, path: Path, reading: RecipeReading) -> None:
        folder = Path(reading.path).parent
        taken = {folder / file: content for file, content in reading.sources.items()}
        self.known[name] = Known(path, taken, is_broken=False)
        revision = keep_revision(self._store, self._home, reading)
        self._shelf.put(
            RecipeSummary(
                name=name,
                path=str(path),
                description=reading.description,
                workflow=reading.workflow,
                presets=list(reading.presets),
                shipped=self._shelf.is_shipped(path),
                revision=revision.sha256,
                revised_at=revision.created_at,
            )
        )
        self._telling.revised(name, revision.sha256)  # who is told may ask the shelf at once

    def _is_broken(self, name: str, path: Path, error: RecipeError | ConfigError) -> None:
        taken = error.taken if isinstance(error, Unread) else {}
        self.known[name] = Known(path, taken, is_broken=True)
        good = self._store.newest_revision(str(path.resolve()))
        self._shelf.put(
            RecipeSummary(
                name=name,
                path=str(path),
                shipped=self._shelf.is_shipped(path),
                error=str(error),
                revision=good.sha256 if good else None,
                revised_at=good.created_at if good else None,
            )
        )
        self._telling.broken(name, str(error), good.sha256 if good else None)
