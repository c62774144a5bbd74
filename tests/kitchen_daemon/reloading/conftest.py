"""A reloader at work on a folder, and what it tells."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress

import pytest

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.following import ChangeFeed
from kitchen_daemon.launching.checking import warm_up
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.reloading.reloader import Reloader
from kitchen_daemon.reloading.telling import KINDS

DEADLINE_S = 120.0
RECIPE = """
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised
{imports}
recipe = Recipe("{name}", "{text}", supervised, SupervisedConfig())
"""


def recipe(text: str, name: str = "mine", imports: str = "") -> str:
    """The source of a recipe, described by `text`."""
    return RECIPE.format(name=name, text=text, imports=imports)


class Watched:
    """A home whose recipes are watched. told: what was, in order."""

    def __init__(self, root) -> None:
        self.home = Home(root)
        self.home.make()
        self.store = Store.open(root)
        self.shelf = Shelf(self.home)
        self.shelf.folders = (self.home.recipes,)
        self._feed = ChangeFeed(self.store)
        self._seen: dict[str, int] = {}

    def path(self, name: str = "mine"):
        return self.home.recipes / f"{name}.py"

    def write(self, text: str, name: str = "mine", imports: str = "") -> None:
        self.path(name).write_text(recipe(text, name, imports))

    def shown(self, name: str = "mine"):
        """The recipe as lists show it."""
        (found,) = [each for each in self.shelf.summaries() if each.name == name]
        return found

    async def next(self, name: str = "mine"):
        """The next event about a recipe."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                change = self._feed.next_change()
                for event in self.store.daemon_events(KINDS):
                    is_new = event.id > self._seen.get(name, 0)
                    if is_new and event.metadata["recipe"] == name:
                        self._seen[name] = event.id
                        return event
                await change.wait()

    async def becomes(self, text: str, name: str = "mine"):
        """The next event about a recipe, which says that it is good again and described so."""
        event = await self.next(name)
        assert event.kind is EventKind.RECIPE_REVISED, event.metadata
        shown = await asyncio.to_thread(self.shown, name)  # which may wait for other recipes
        assert shown.description == text
        return event.metadata

    async def breaks(self, name: str = "mine"):
        """The next event about a recipe, which says that it is broken."""
        event = await self.next(name)
        assert event.kind is EventKind.RECIPE_BROKEN, event.metadata
        return event.metadata

    def tree(self, sha256: str) -> dict[str, str]:
        """The files of a revision."""
        tree = self.store.find_artifact(sha256).path
        return {
            file.relative_to(tree).as_posix(): file.read_text()
            for file in tree.rglob("*")
            if file.is_file()
        }

    @asynccontextmanager
    async def reloading(self):
        """The reloader for a block, as in a daemon."""
        tasks = [
            asyncio.ensure_future(self._feed.watch()),
            asyncio.ensure_future(Reloader(self.home, self.store, self.shelf).serve()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


@pytest.fixture(scope="session", autouse=True)
def warm():
    warm_up()
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


@pytest.fixture
def watched(tmp_path):
    """A home with the recipe `mine`, which nobody watches yet."""
    watched = Watched(tmp_path)
    watched.write("first")
    yield watched
    watched.store.close()


@pytest.fixture
async def live(watched):
    """The same, watched; its first revision was told."""
    async with watched.reloading():
        await watched.becomes("first")
        yield watched
