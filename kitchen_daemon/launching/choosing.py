"""Which version of a recipe is meant: as it is now, the last that could be loaded, or one by its hash."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitchen_core.recipe import RecipeError
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import RevisionRecord
from kitchen_core.store.store import Store
from kitchen_core.workflows.reading import RecipeReading
from kitchen_daemon.launching.checking import read_apart
from kitchen_daemon.launching.settling import PATIENCE_S, Unsettled, read_settled
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.models import RecipeDetail, RevisionInfo

GOOD_REVISION = "good"
"""Asks for the last version that could be loaded."""

MOST_REVISIONS = 20
"""How many of a recipe's versions are shown with it."""

_SHORT = 12  # characters of a SHA-256 in a message
_DAY_S = 86400
_LOOK_EVERY_S = 0.02


class BrokenRecipe(RecipeError):  # noqa: N818 - named by the condition
    """A recipe that can't be loaded as it is now. good: the last revision that could."""

    def __init__(self, message: str, good: RevisionRecord) -> None:
        super().__init__(message)
        self.good = good
        self.hint = (
            f"Its last good version, of {_moment(good.created_at)}, still runs: "
            f"kitchen run {good.recipe} --revision {GOOD_REVISION}"
        )


@dataclass(frozen=True)
class Chosen:
    """A recipe as it was read. revision: the stored one that it was read from; None: as it is now."""

    reading: RecipeReading
    revision: RevisionRecord | None = None


class Recipes:
    """Reads recipes for those who launch and show them. Blocks."""

    def __init__(self, store: Store, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf

    def read(
        self,
        recipe: str,
        revision: str | None = None,
        preset: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Chosen:
        """A recipe, by name or path. revision: `good`, or how the SHA-256 of one begins. What is being saved is
        waited for.

        Raises BrokenRecipe, RecipeError, ConfigError, NotFound or Ambiguous.
        """
        if revision is not None:
            kept = self._kept(recipe, revision)
            return Chosen(read_apart(self._file(kept), preset, overrides), kept)
        path = self._find(recipe)
        try:
            return Chosen(read_settled(path, preset, overrides))
        except Unsettled:
            raise
        except RecipeError as error:
            good = self._store.newest_revision(str(path.resolve()))
            if good is None:
                raise
            raise BrokenRecipe(str(error), good) from None

    def detail(self, recipe: str, revision: str | None = None) -> RecipeDetail:
        """A recipe whole, with the same errors."""
        chosen = self.read(recipe, revision)
        reading = chosen.reading
        kept = chosen.revision or self._store.newest_revision(reading.path)
        revisions = self._store.list_revisions(reading.name, MOST_REVISIONS)
        return RecipeDetail(
            name=reading.name,
            path=reading.path,
            description=reading.description,
            workflow=reading.workflow,
            presets=list(reading.presets),
            shipped=self._shelf.is_shipped(Path(reading.path)),
            revision=kept.sha256 if kept else None,
            revised_at=kept.created_at if kept else None,
            config=reading.config,
            config_schema=reading.config_schema,
            preset_values=reading.presets,
            drawing=reading.drawing,
            stages=reading.stages,
            files=reading.files,
            revisions=[
                RevisionInfo.model_validate(each, from_attributes=True) for each in revisions
            ],
        )

    def _find(self, recipe: str) -> Path:
        """A recipe's file; one that is gone or empty for the moment that a save takes is waited for."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._shelf.find(recipe)
            except RecipeError:
                known = self._shelf.has(
                    recipe
                )  # until the reloader has seen that it is gone for good
                if not known or time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_EVERY_S)

    def _kept(self, recipe: str, revision: str) -> RevisionRecord:
        newest = self._newest(recipe)
        if newest is None:
            raise NotFound("good revision of recipe", recipe)
        return (
            newest
            if revision == GOOD_REVISION
            else self._store.find_revision(newest.recipe, revision)
        )

    def _newest(self, recipe: str) -> RevisionRecord | None:
        """The newest revision of a recipe; one whose file is gone has revisions too, by name."""
        try:
            path = self._shelf.find(recipe)
        except RecipeError:
            return next(iter(self._store.list_revisions(recipe, limit=1)), None)
        return self._store.newest_revision(str(path.resolve()))

    def _file(self, kept: RevisionRecord) -> Path:
        try:
            tree = self._store.find_artifact(kept.sha256)
        except NotFound:
            tree = None
        if tree is None or not self._store.is_whole(tree):
            raise RecipeError(
                f"the revision {kept.sha256[:_SHORT]} of recipe {kept.recipe} was deleted from the "
                "store, or edited there"
            )
        return tree.path / Path(kept.source_path).name


def _moment(at: float) -> str:
    """A time as one says it: `14:02`; with the day where it was another."""
    form = "%H:%M" if time.time() - at < _DAY_S else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(at))
