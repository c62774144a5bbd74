"""What the routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.apart import Apart
from kitchen_daemon.following import ChangeFeed
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.rendering.renderings import Renderings
from kitchen_daemon.running.dispatch import Dispatcher
from kitchen_daemon.transfers.transfers import Transfers


@dataclass
class Kitchen:
    """What the routes work with."""

    home: Home
    store: Store
    shelf: Shelf
    submissions: Submissions
    renderings: Renderings
    transfers: Transfers
    apart: Apart
    dispatcher: Dispatcher
    feed: ChangeFeed
    started_at: float
