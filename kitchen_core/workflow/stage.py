"""What a stage is: one step of a workflow, which says what it reads and writes and what it
needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kitchen_core.train.ports.adapter import PortName

if TYPE_CHECKING:
    from kitchen_core.workflow.context import StageContext


class Keeping(StrEnum):
    """How a key of the run state outlives the process.

    DURABLE: JSON, saved in every checkpoint. REBUILT: made again by running the stage again, which
    must give the same content.
    """

    DURABLE = "durable"
    REBUILT = "rebuilt"


class StageFailed(Exception):  # noqa: N818 - carries the cause
    """A stage raised, and what has to be was rolled back; `stage` is its name, the cause is chained."""

    def __init__(self, stage: str, error: Exception) -> None:
        super().__init__(f"stage {stage}: {error}")
        self.stage = stage
        self.error = error


class StageOptions(BaseModel):
    """A stage's own settings, given where the workflow places it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(ABC):
    """One step of a workflow.

    A subclass names itself, its `Options`, the state keys that it reads and writes, and its ports.
    Stages orchestrate: they call `train` for every algorithm and ports for everything outside.
    """

    name: ClassVar[str]
    Options: ClassVar[type[StageOptions]] = StageOptions
    reads: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[Mapping[str, Keeping]] = MappingProxyType({})
    ports: ClassVar[tuple[PortName, ...]] = ()

    def __init__(self, **options: Any) -> None:
        try:
            self.options = self.Options(**options)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"stage {self.name}: option '{where}': {first['msg']}") from None

    @abstractmethod
    async def run(self, ctx: StageContext) -> None:
        """Do the work."""

    def validate(self, ctx: StageContext) -> None:  # noqa: B027 - most stages have nothing to refuse
        """Raise ValueError where the stage can't run, before anything has been done."""

    async def rollback(self, ctx: StageContext, error: BaseException) -> None:  # noqa: B027
        """Undo what the stage did outside the run, because it or a later stage failed.

        In a loop it is asked only where it failed itself.
        """

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """What the stage is, as JSON: options, reads, writes, ports."""
        return {
            "name": cls.name,
            "description": (cls.__doc__ or "").strip().partition("\n")[0],
            "options": cls.Options.model_json_schema(),
            "reads": list(cls.reads),
            "writes": {key: str(keeping) for key, keeping in cls.writes.items()},
            "ports": list(cls.ports),
        }
