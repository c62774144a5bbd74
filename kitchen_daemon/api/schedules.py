"""The routes about time: schedules, windows, the plan of the night."""

from __future__ import annotations

import asyncio
import time

from fastapi import FastAPI

from kitchen_core.store import Store
from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.models import (
    NewSchedule,
    NewWindow,
    NightPlan,
    RunInfo,
    ScheduleInfo,
    WindowInfo,
)
from kitchen_daemon.scheduling.night import plan_the_night, plan_until
from kitchen_daemon.scheduling.schedules import (
    add_schedule,
    enable,
    put_window,
    schedule_info,
    window_infos,
)


def schedule_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them. Schedules are named by name or id."""
    store, firing = kitchen.store, kitchen.firing

    @app.post("/schedules", status_code=201)
    async def add(new: NewSchedule) -> ScheduleInfo:
        """Keep a launch for its times."""
        made = await asyncio.to_thread(add_schedule, store, kitchen.submissions, new)
        firing.wake()
        return schedule_info(store, made)

    @app.get("/schedules")
    def schedules() -> list[ScheduleInfo]:
        """Every schedule, the next due first."""
        return [schedule_info(store, schedule) for schedule in store.list_schedules()]

    @app.get("/schedules/{schedule}")
    def show(schedule: str) -> ScheduleInfo:
        """One schedule."""
        return schedule_info(store, store.find_schedule(schedule))

    @app.delete("/schedules/{schedule}")
    async def remove(schedule: str) -> ScheduleInfo:
        """Forget a schedule; what it has submitted stays."""
        found = store.find_schedule(schedule)
        told = schedule_info(store, found)
        store.remove_schedule(found.id)
        firing.wake()
        return told

    @app.post("/schedules/{schedule}/enable")
    async def enable_again(schedule: str) -> ScheduleInfo:
        """Let a schedule fire from now on."""
        found = store.find_schedule(schedule)
        enable(store, found)
        firing.wake()
        return schedule_info(store, store.find_schedule(found.id))

    @app.post("/schedules/{schedule}/disable")
    async def disable(schedule: str) -> ScheduleInfo:
        """Let a schedule fire no more until it is enabled."""
        found = store.find_schedule(schedule)
        store.disable_schedule(found.id)
        firing.wake()
        return schedule_info(store, store.find_schedule(found.id))

    @app.post("/schedules/{schedule}/fire", status_code=201)
    async def fire(schedule: str) -> RunInfo:
        """Let a schedule fire at once, beside its own times."""
        run = await asyncio.to_thread(firing.fire_now, store.find_schedule(schedule))
        kitchen.dispatcher.wake()
        return kitchen.run_info(run)


def window_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them. What changes a window is a matter of the queue as well."""
    store, dispatcher = kitchen.store, kitchen.dispatcher

    @app.put("/windows")
    async def put(new: NewWindow) -> WindowInfo:
        """Keep a window, in place of the one of its name if there is one."""
        put_window(store, new)
        dispatcher.wake()
        return _info(store, new.name)

    @app.get("/windows")
    def windows() -> list[WindowInfo]:
        """Every window, by name."""
        return window_infos(store)

    @app.delete("/windows/{window}")
    async def remove(window: str, force: bool = False) -> WindowInfo:
        """Forget a window; refused while runs or schedules name it, unless forced."""
        told = _info(store, store.get_window(window).name)
        store.remove_window(window, force=force)
        dispatcher.wake()
        return told


def night_route(app: FastAPI, kitchen: Kitchen) -> None:
    """Add it."""

    @app.get("/night")
    async def night(until: str | None = None) -> NightPlan:
        """What runs when, by the quotes, until a time as a user writes it."""
        end = plan_until(until, time.time())
        state = await kitchen.dispatcher.state()
        ids = [run.id for run in (*state.waiting, *state.running)]
        recipes = kitchen.store.recipes_of(ids)
        return await asyncio.to_thread(plan_the_night, kitchen.store, state, recipes, end)


def _info(store: Store, name: str) -> WindowInfo:
    return next(window for window in window_infos(store) if window.name == name)
