"""What was told is known to the next daemon, and what changed while none ran is told by it."""

from __future__ import annotations

import asyncio

from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.reloading.telling import KINDS


async def test_nothing_is_told_twice_and_what_has_changed_meanwhile_is_told_once(watched):
    names = ("mine", "edited", "broken", "removed")
    for name in names:
        watched.write("first", name)
    async with watched.reloading():
        for name in names:
            await watched.becomes("first", name)
        watched.path("broken").write_text("recipe = 1 +")
        good = (await watched.breaks("broken"))["good"]
    told = len(watched.store.daemon_events(KINDS))
    watched.write("second", "edited")
    watched.path("removed").unlink()
    async with watched.reloading():
        await watched.becomes("second", "edited")
        assert (await watched.next("removed")).kind is EventKind.RECIPE_REMOVED
        listed = await asyncio.to_thread(watched.shelf.summaries)  # which waits for the others
    shown = {each.name: each for each in listed}
    assert shown["broken"].error
    assert shown["broken"].revision == good
    assert shown["mine"].revised_at == watched.store.list_revisions("mine")[0].created_at
    assert len(watched.store.daemon_events(KINDS)) == told + 2
