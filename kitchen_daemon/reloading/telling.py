"""What was told of each recipe: it has become another revision, is broken, or is gone.

The events themselves are the memory, so that nothing is told twice, by the next daemon neither.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from kitchen_core.content import tree_manifest
from kitchen_core.store.errors import NotFound
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Event, EventKind, NewEvent

KINDS = (EventKind.RECIPE_REVISED, EventKind.RECIPE_BROKEN, EventKind.RECIPE_REMOVED)


@dataclass(frozen=True)
class Told:
    """How a recipe stands in the log of events. revision: the SHA-256 of the last good one."""

    revision: str | None = None
    error: str | None = None


class Telling:
    """Tells what is new of recipes. Blocks; a recipe is told of by one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, Told] = {}
        for event in store.daemon_events(KINDS):
            self._remember(event)

    @property
    def names(self) -> set[str]:
        """The recipes that are there, by what was told."""
        return set(self._told)

    def revised(self, recipe: str, sha256: str) -> None:
        """A recipe is this revision now."""
        told = self._told.get(recipe, Told())
        if (told.revision, told.error) == (sha256, None):
            return
        self._append(
            EventKind.RECIPE_REVISED,
            recipe=recipe,
            sha256=sha256,
            files=self._differing(told.revision, sha256),
            previous=told.revision,
        )
        self._told[recipe] = Told(sha256)

    def broken(self, recipe: str, error: str, good: str | None) -> None:
        """A recipe can't be loaded. good: the SHA-256 of its last good revision."""
        told = self._told.get(recipe, Told())
        if told.error != error:
            self._append(EventKind.RECIPE_BROKEN, recipe=recipe, error=error, good=good)
            self._told[recipe] = replace(told, error=error)

    def removed(self, recipe: str) -> None:
        """A recipe is gone."""
        if recipe in self._told:
            self._append(EventKind.RECIPE_REMOVED, recipe=recipe)
            del self._told[recipe]

    def _append(self, kind: EventKind, **facts: Any) -> None:
        self._store.append_events(None, [NewEvent(kind=kind, at=time.time(), metadata=facts)])

    def _remember(self, event: Event) -> None:
        name = event.metadata["recipe"]
        match event.kind:
            case EventKind.RECIPE_REVISED:
                self._told[name] = Told(event.metadata["sha256"])
            case EventKind.RECIPE_BROKEN:
                told = self._told.get(name, Told(event.metadata["good"]))
                self._told[name] = replace(told, error=event.metadata["error"])
            case _:
                self._told.pop(name, None)

    def _differing(self, before: str | None, after: str) -> list[str]:
        """The files that two revisions don't have in common."""
        old, new = self._manifest(before), self._manifest(after)
        return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))

    def _manifest(self, sha256: str | None) -> dict[str, str]:
        try:
            return tree_manifest(self._store.find_artifact(sha256).path) if sha256 else {}
        except NotFound:
            return {}
