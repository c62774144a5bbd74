"""The daemon whole: one lock, one store, one dispatcher, one socket."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kitchen_core import __version__
from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import EventKind, NewEvent
from kitchen_daemon.apart import Apart
from kitchen_daemon.api.app import make_app
from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.following import ChangeFeed
from kitchen_daemon.launching import checking
from kitchen_daemon.launching.choosing import Recipes
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.machine.driver import driver
from kitchen_daemon.machine.gauges import Gauges
from kitchen_daemon.process import ProcessIdentity
from kitchen_daemon.reloading.reloader import Reloader
from kitchen_daemon.rendering.renderings import Renderings
from kitchen_daemon.reserve import keep_reserve
from kitchen_daemon.running.dispatch import Dispatcher
from kitchen_daemon.scheduling.firing import Firing
from kitchen_daemon.secrets import print_without_keys
from kitchen_daemon.server import Server
from kitchen_daemon.settings import Settings
from kitchen_daemon.transfers.transfers import Transfers

logger = logging.getLogger(__name__)

LEAVE_S = 5.0
"""How long a daemon that stops waits for threads that read, hash or upload. What it has said to be saved is."""
CACHE_KIB = 2 * 1024
"""For each of dozens of threads; what it doesn't hold comes from the system's cache of the file."""
SWITCH_S = 0.0005
"""After which a busy thread lets the others in. A look at a long queue takes one 0.1 s; whatever else is asked
meanwhile waits at every step, up to 17 ms with Python's 5 ms, and under 3 so.
"""
PATIENCE_S = 2.0  # requests and the queue share an event loop; they ask again rather than wait


class AlreadyServed(RuntimeError):  # noqa: N818 - named by the condition
    """Another daemon has this home."""


def serve(home: Home, settings: Settings) -> None:
    """Serve a home until SIGTERM, SIGINT or a request to shut down. Raises AlreadyServed."""
    sys.setswitchinterval(SWITCH_S)
    print_without_keys(home)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("alembic", "watchfiles"):
        logging.getLogger(name).setLevel(logging.WARNING)
    home.make()
    with _only_daemon(home) as is_ours:
        keep_reserve(home)
        checking.warm_up()
        with Store.open(home.root, patience_s=PATIENCE_S, cache_kib=CACHE_KIB) as store:
            store.sweep_temporary()
            asyncio.run(_serve(home, settings, store, is_ours))


@contextmanager
def _only_daemon(home: Home) -> Iterator[Callable[[], bool]]:
    """Hold the home's lock; gives a question whether it still lies there, for a home can be deleted."""
    with home.daemon_lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServed(
                f"another daemon serves {home.root} already; "
                "talk to it with `kitchen status`, or stop it with `kitchen down`"
            ) from None
        held = os.fstat(lock.fileno()).st_ino
        yield lambda: _inode(home.daemon_lock) == held


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


async def _serve(home: Home, settings: Settings, store: Store, is_ours: Callable[[], bool]) -> None:
    started_at = time.time()
    shelf = Shelf(home, settings)
    dispatcher = Dispatcher(home, store, settings)
    feed = ChangeFeed(store)
    gauges = Gauges(driver(), home.root)
    apart = Apart(home)
    submissions = Submissions(home, store, shelf, settings)
    firing = Firing(home, store, submissions, dispatcher.wake)
    kitchen = Kitchen(
        home=home,
        settings=settings,
        store=store,
        shelf=shelf,
        recipes=Recipes(store, shelf),
        submissions=submissions,
        renderings=Renderings(home, store, submissions, apart),
        transfers=Transfers(home, store),
        apart=apart,
        dispatcher=dispatcher,
        firing=firing,
        feed=feed,
        gauges=gauges,
        started_at=started_at,
    )
    server = Server(make_app(kitchen), home.socket, is_ours)
    _leave_out_of_collections()

    def stop() -> None:
        _end_within(LEAVE_S)
        kitchen.transfers.close()
        kitchen.apart.close()  # requests that wait for an answer have one before the socket closes
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    _announce(home, store, started_at)
    dispatcher.adopt()
    reloader = Reloader(home, store, shelf)
    lasting = (
        dispatcher.serve(),
        firing.serve(),
        feed.watch(),
        gauges.watch(),
        reloader.serve(),
    )
    background = [asyncio.ensure_future(each) for each in lasting]
    for task in background:
        task.add_done_callback(lambda _: stop())  # half a daemon is worse than none
    try:
        await server.serve()
    finally:
        for task in background:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        home.daemon_file.unlink(missing_ok=True)


def _leave_out_of_collections() -> None:
    """What is loaded by now stays for good. Looking for garbage in it would stop every thread for 40 ms, often."""
    gc.collect()
    gc.freeze()


def _end_within(seconds: float) -> None:
    """End the process then, in order or not: a thread can't be told to stop, and would hold it up."""
    last = threading.Timer(seconds, os._exit, [0])
    last.daemon = True
    last.start()


def _announce(home: Home, store: Store, started_at: float) -> None:
    """Say where this daemon is to be found, in a file and in the log of events."""
    me = ProcessIdentity.of(os.getpid())
    facts = {
        "socket": str(home.socket),
        "pid": me.pid,
        "started_at": started_at,
        "boot_id": me.boot_id,
    }
    written = home.daemon_file.with_suffix(".tmp")
    written.write_text(json.dumps(facts))
    written.replace(home.daemon_file)
    store.append_events(
        None,
        [NewEvent(kind=EventKind.DAEMON_STARTED, at=started_at, metadata={"version": __version__})],
    )
    logger.info("serving %s at %s", home.root, home.socket)
