"""What the routes work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kitchen_core.home import Home
from kitchen_core.store.records import RunRecord
from kitchen_core.store.store import Store
from kitchen_daemon.apart import Apart
from kitchen_daemon.following import ChangeFeed
from kitchen_daemon.launching.choosing import Recipes
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.machine.gauges import Gauges
from kitchen_daemon.models import RunInfo
from kitchen_daemon.rendering.renderings import Renderings
from kitchen_daemon.running.dispatch import Dispatcher
from kitchen_daemon.scheduling.firing import Firing
from kitchen_daemon.settings import Settings
from kitchen_daemon.transfers.transfers import Transfers
from kitchen_daemon.views import run_infos


@dataclass
class Kitchen:
    """What the routes work with."""

    home: Home
    settings: Settings
    store: Store
    shelf: Shelf
    recipes: Recipes
    submissions: Submissions
    renderings: Renderings
    transfers: Transfers
    apart: Apart
    dispatcher: Dispatcher
    firing: Firing
    feed: ChangeFeed
    gauges: Gauges
    started_at: float

    def run_info(self, run: RunRecord) -> RunInfo:
        """A run as it stands, and why it waits."""
        return self.run_infos([run])[0]

    def run_infos(self, runs: Sequence[RunRecord]) -> list[RunInfo]:
        """Several of them."""
        return run_infos(self.store, runs, {run.id: self.dispatcher.why_of(run.id) for run in runs})
