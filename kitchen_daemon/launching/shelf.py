"""The shelf: every recipe there is, by name, as the reloader keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Condition

from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.train.naming import nearest
from kitchen_daemon.launching.folders import (
    find_recipe,
    find_recipes,
    recipe_folders,
    shipped_folder,
)
from kitchen_daemon.models import RecipeSummary
from kitchen_daemon.settings import Settings

FIRST_S = 15.0
"""How long a list waits for what has never been read: longer than any reading takes."""


class Shelf:
    """Finds recipes and lists them. Safe to share between threads.

    trouble: why changes are not seen at once, or not all of them; empty where they are.
    """

    def __init__(self, home: Home, settings: Settings | None = None) -> None:
        self.folders = recipe_folders(home, settings or Settings())
        self.trouble = ""
        self._summaries: dict[str, RecipeSummary] = {}
        self._awaited: set[str] | None = None
        self._changed = Condition()

    def find(self, name: str) -> Path:
        """A recipe's file, by name or absolute path.

        Raises RecipeError suggesting the nearest name.
        """
        if name.startswith("/"):
            return Path(name)
        path = find_recipe(self.folders, name)
        if path is None:
            names = list(find_recipes(self.folders))
            hint = nearest(name, names) or f"; there are: {', '.join(names)}"
            raise RecipeError(f"unknown recipe '{name}'{hint}")
        return path

    def has(self, name: str) -> bool:
        """Whether a list would show a recipe of this name."""
        return name in self._summaries

    def summaries(self) -> list[RecipeSummary]:
        """Every recipe, in order of name; a broken one carries its error. Reads nothing, but waits
        for what has not been read since the daemon began.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._awaited == set(), FIRST_S)
            return [summary for _, summary in sorted(self._summaries.items())]

    def is_shipped(self, path: Path) -> bool:
        """Whether it came with the kitchen."""
        return path.parent == shipped_folder()

    def expect(self, names: Iterable[str]) -> None:
        """Let lists wait until each of these is put or dropped."""
        with self._changed:
            self._awaited = set(names)
            self._changed.notify_all()

    def put(self, summary: RecipeSummary) -> None:
        """Show a recipe as it is now."""
        with self._changed:
            self._summaries[summary.name] = summary
            self._has_come(summary.name)

    def drop(self, name: str) -> None:
        """Show a recipe no more."""
        with self._changed:
            self._summaries.pop(name, None)
            self._has_come(name)

    def _has_come(self, name: str) -> None:
        if self._awaited:
            self._awaited.discard(name)
        self._changed.notify_all()
