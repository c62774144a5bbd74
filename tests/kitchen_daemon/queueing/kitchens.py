"""A kitchen whose night passes in a second or two: the real store, dispatcher, schedules and windows, with workers that
take exactly what they are quoted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from kitchen_core.home import Home
from kitchen_core.needs import Needs
from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.store.records import NewQuote
from kitchen_core.telemetry.schema import EventKind, PausedFor, RunStatus
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submission, Submissions
from kitchen_daemon.launching.turns import first_status, turn_of
from kitchen_daemon.machine.tenants import Tenant
from kitchen_daemon.models import (
    Launch,
    NewSchedule,
    NewWindow,
    NightPlan,
    Plan,
    PlannedStretch,
    WaitCode,
)
from kitchen_daemon.models.quotes import Quote
from kitchen_daemon.queueing.imagining import ENDINGS, Ending
from kitchen_daemon.queueing.planning import device
from kitchen_daemon.queueing.states import Machine
from kitchen_daemon.running import dispatch
from kitchen_daemon.running.dispatch import Dispatcher
from kitchen_daemon.running.lease import Lease
from kitchen_daemon.running.workers import Worker
from kitchen_daemon.scheduling.firing import Firing
from kitchen_daemon.scheduling.night import plan_the_night
from kitchen_daemon.scheduling.schedules import add_schedule, put_window
from kitchen_daemon.settings import DEFAULTS
from tests.clock import Clock, on_fake_clock
from tests.kitchen_core.store.support import fresh_store
from tests.kitchen_daemon.running.simulated import SimulatedForkServer, steps


class Dishes(Submissions):
    """Knows what each run needs and takes by its name; the rest of a launch is checked and frozen as always."""

    def __init__(self, home: Home, store: Store) -> None:
        super().__init__(home, store, Shelf(home, DEFAULTS))
        self.store = store
        self.needs: dict[str, Needs] = {}
        self.seconds: dict[str, float] = {}

    def prepare(self, launch: Launch) -> Submission:
        name = launch.name or ""
        turn = turn_of(self.store, DEFAULTS, launch, ())
        run = NewRun(
            name=name,
            recipe=launch.recipe,
            workflow="supervised",
            needs=self.needs[name],
            total_steps=steps(0, self.seconds[name])[1],
            **asdict(turn),
            **first_status(self.store, turn.after, turn.after_any, turn.is_held),
        )
        return Submission(run, NewQuote(seconds=self.seconds[name]))

    def plan(self, launch: Launch) -> Plan:
        name = launch.name or ""
        seconds = self.seconds[name]
        return Plan(
            recipe=launch.recipe,
            description="",
            workflow="supervised",
            preset=None,
            manifest="dev",
            config={},
            config_hash="",
            recipe_revision="",
            pins={},
            adapters={},
            after=[],
            drawing=[],
            needs=self.needs[name],
            quote=Quote(
                device="",
                memory_bytes=None,
                steps=None,
                seconds_a_step=None,
                seconds=seconds,
                energy_j=None,
                basis="formula",
            ),
        )


class PunctualWorkers(SimulatedForkServer):
    """Simulated workers, which can be told to say how far they are."""

    def __init__(self, store: Store, seconds: Callable[[str], float]) -> None:
        super().__init__(store, seconds)
        self._begun: dict[str, tuple[Lease, float]] = {}

    def begin(self, lease: Lease, worker: Worker) -> None:
        self._begun[lease.run_id] = (lease, time.time())
        super().begin(lease, worker)

    def report(self) -> None:
        """Every run that has a worker says what it has left."""
        for run_id, (lease, begun) in self._begun.items():
            run = self._store.get_run(run_id)
            if run.status is RunStatus.RUNNING:
                total = self._seconds(run.name)
                done = self._done.get(run_id, 0.0) + time.time() - begun
                writer = RunWriter(self._store, run_id, lease.attempt)
                writer.set_progress(*steps(done, total), total - done)


@dataclass
class Kitchen:
    """All of it at work."""

    store: Store
    dishes: Dishes
    dispatcher: Dispatcher
    firing: Firing
    workers: PunctualWorkers
    machine: Machine

    def submit(self, name: str, needs: Needs, seconds: float, **asked: object) -> None:
        self._learn(name, needs, seconds)
        self.dishes.submit(Launch(recipe="r", name=name, **asked))  # type: ignore[arg-type]

    def schedule(self, name: str, when: str, needs: Needs, seconds: float, **asked: object) -> None:
        self._learn(name, needs, seconds)
        launch = Launch(recipe="r", name=name, **asked)  # type: ignore[arg-type]
        add_schedule(self.store, self.dishes, NewSchedule(name=name, launch=launch, when=when))

    def window(self, name: str, hours: str) -> None:
        put_window(self.store, NewWindow(name=name, hours=hours))

    async def plan(self, until: float) -> NightPlan:
        """As the API makes it."""
        self.workers.report()
        state = await self.dispatcher.state()
        runs = [run.id for run in (*state.waiting, *state.running)]
        return plan_the_night(self.store, state, self.store.recipes_of(runs), until)

    def codes(self) -> dict[str, WaitCode]:
        """Why those wait that do, by name."""
        whys = {run.name: self.dispatcher.why_of(run.id) for run in self.store.list_runs()}
        return {name: why.code for name, why in whys.items() if why is not None}

    def happened(self) -> dict[str, list[PlannedStretch]]:
        """The stretches of every run, by name: what a plan would have had to say."""
        return {
            run.name: [
                PlannedStretch(
                    starts_at=attempt.started_at,
                    ends_at=attempt.ended_at,
                    ends=self._ending(run.id, attempt.number),
                    device=device(attempt.placement, self.machine.gpus),
                )
                for attempt in self.store.attempts(run.id)
            ]
            for run in self.store.list_runs()
        }

    def _ending(self, run_id: str, attempt: int) -> Ending | None:
        for event in self.store.read_events(run_id=run_id):
            if event.attempt == attempt and event.kind == EventKind.RUN_COMPLETED:
                return "done"
            if event.attempt == attempt and event.kind == EventKind.RUN_PAUSED:
                return ENDINGS[PausedFor(str(event.metadata["paused_for"]))]
        return None

    def _learn(self, name: str, needs: Needs, seconds: float) -> None:
        self.dishes.needs[name], self.dishes.seconds[name] = needs, seconds


def live_through(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    begins_at: float,
    machine: Machine,
    story: Callable[[Kitchen], Awaitable[None]],
) -> None:
    """Let a story happen to a kitchen from that moment on."""

    def read_machine(tenants: Sequence[Tenant]) -> Machine:
        return machine

    async def main(clock: Clock) -> None:
        monkeypatch.setattr(time, "time", lambda: begins_at + clock.time)
        # Nobody else comes or goes on this machine, so looking every few seconds would show nothing new.
        monkeypatch.setattr(dispatch, "LOOK_EVERY_S", dispatch.LONGEST_REST_S)
        dishes = Dishes(home, store)
        workers = PunctualWorkers(store, dishes.seconds.__getitem__)
        dispatcher = Dispatcher(home, store, fork_server=workers, read_machine=read_machine)
        firing = Firing(home, store, dishes, dispatcher.wake)
        kitchen = Kitchen(store, dishes, dispatcher, firing, workers, machine)
        await _serve_while(story(kitchen), dispatcher.serve, firing.serve)

    home = Home(folder)
    with fresh_store(home.root) as store:
        on_fake_clock(main)


async def _serve_while(
    story: Awaitable[None], *services: Callable[[], Coroutine[None, None, None]]
) -> None:
    """The services begin when the story first waits."""
    serving = [asyncio.ensure_future(serve()) for serve in services]
    try:
        await story
    finally:
        for service in serving:
            service.cancel()
            with suppress(asyncio.CancelledError):
                await service
