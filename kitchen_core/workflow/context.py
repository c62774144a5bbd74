"""What a run works with: its config, state, ports, refs, telemetry, and the questions it is
asked from outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kitchen_core.config import RunConfig
from kitchen_core.ports.registry import ModelRegistry
from kitchen_core.resolver import Resolver
from kitchen_core.telemetry.emitter import Telemetry
from kitchen_core.telemetry.ports import RunLog
from kitchen_core.telemetry.schema import EventKind, Intent
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.workflow.progress import Progress
from kitchen_core.workflow.stage import Stage
from kitchen_core.workflow.state import RunState, StateView

T = TypeVar("T")


class Interrupted(BaseException):  # not an Exception: no stage has failed and none may swallow it
    """The run was asked to stop; `intent` is None where only the process was."""

    def __init__(self, intent: Intent | None) -> None:
        super().__init__(f"asked to {intent}" if intent else "asked to stop")
        self.intent = intent


class Connector(Protocol):
    """Gives the adapter that serves a port."""

    def connect(self, port: PortName) -> Any:
        """The port's implementation, the same one at every call."""
        ...


@dataclass
class RunContext:
    """One run in one process. step counts optimizer steps done; only the step loop advances it.

    scratch: for files on their way into the store. cache: for what can be made again, shared by
    runs. outcome: what stages have to say about how the run ended. begins_again: what is done in this
    context begins again after a resume, so that it can be left at any boundary.
    """

    config: RunConfig
    log: RunLog
    telemetry: Telemetry
    connector: Connector
    resolver: Resolver
    registry: ModelRegistry
    scratch: Path
    cache: Path
    state: RunState = field(default_factory=RunState)
    step: int = 0
    total_steps: int | None = None
    cursors: dict[str, int] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    stop_asked: Callable[[], bool] = lambda: False
    checkpoint_step: int | None = None
    outcome: list[str] = field(default_factory=list)
    begins_again: bool = False

    def beside(self, step: int, *, begins_again: bool) -> RunContext:
        """The run for what is done beside its turns, towards `step`: it has the state as it is now, and
        what it puts there is its own.
        """
        fork = self.state.fork()
        return replace(self, state=fork, step=step, cursors={}, begins_again=begins_again)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.log.run_id

    @property
    def in_steps(self) -> bool:
        """Whether the step loop has begun, so that a checkpoint can be taken at the next
        boundary.
        """
        return self.total_steps is not None and self.step < self.total_steps

    def check_interrupted(self) -> None:
        """Raise Interrupted if the run was asked to stop. Called at every handle and stage
        boundary.

        A cancelled run stops here. One that shall go on later first reaches the end of its step,
        where the runner saves it, unless what it is doing begins again then.
        """
        if not self.stop_asked():
            return
        intent = self.log.intent()
        if intent is Intent.CANCEL or self.begins_again or not self.in_steps:
            raise Interrupted(intent)


class StageContext:
    """A run as one stage sees it: the state is limited to what the stage declared."""

    def __init__(self, run: RunContext, stage: Stage) -> None:
        self._run = run
        self._stage = stage
        self.state = StateView(run.state, stage)

    @property
    def config(self) -> Any:
        """The run's config, of the workflow's own type."""
        return self._run.config

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run.run_id

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self._run.step

    @property
    def total_steps(self) -> int | None:
        """Steps that the run will have, once the step loop has begun."""
        return self._run.total_steps

    @property
    def telemetry(self) -> Telemetry:
        """For metrics; `event` fills in stage and step."""
        return self._run.telemetry

    @property
    def resolver(self) -> Resolver:
        """Turns refs into models and data, and records lineage."""
        return self._run.resolver

    @property
    def registry(self) -> ModelRegistry:
        """Named model versions."""
        return self._run.registry

    @property
    def log(self) -> RunLog:
        """For artifacts."""
        return self._run.log

    @property
    def cache(self) -> Path:
        """A folder for what can be made again at any time, shared by runs."""
        return self._run.cache

    @property
    def run(self) -> RunContext:
        """The whole run, for the stages that save it."""
        return self._run

    def port(self, name: PortName) -> Any:
        """The adapter that serves a port. Only ports that the stage declared."""
        if name not in self._stage.ports:
            raise ValueError(f"stage {self._stage.name} uses port '{name}' without declaring it")
        return self._run.connector.connect(name)

    def event(
        self, kind: EventKind, /, measurements: dict[str, float] | None = None, **metadata: Any
    ) -> None:
        """Append an event of this stage at this step."""
        self.telemetry.event(
            kind, stage=self._stage.name, step=self.step, measurements=measurements, **metadata
        )

    def conclude(self, message: str, *, level: str = "info") -> None:
        """Log a sentence about how the run ends; it is also told with its status."""
        self.event(EventKind.LOG, level=level, message=message)
        self._run.outcome.append(message)

    async def wait(self, handle: Awaitable[T]) -> T:
        """A handle's result; cancellation acts before and after it."""
        self._run.check_interrupted()
        result = await handle
        self._run.check_interrupted()
        return result

    def scratch_folder(self, name: str) -> Path:
        """A new empty folder beside the artifact store, for what will be stored or dropped."""
        folder = self._run.scratch / f"{name.replace('/', '-')}-{self.step}"
        folder.mkdir(parents=True)
        return folder
