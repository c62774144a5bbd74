"""Keeping the best model of a run, and stopping when it gets no better."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import MappingProxyType

from kitchen_core.config import ConfigError
from kitchen_core.train.best import Best, direction_of, steps_to_keep
from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.workflow.checkpoint import CHECKPOINTS
from kitchen_core.workflow.context import RunContext, StageContext
from kitchen_core.workflow.graph import Predicate
from kitchen_core.workflow.stage import Keeping, Stage

_KEPT = "best/"


class BeginBest(Stage):
    """Start with no best measurement."""

    name = "BeginBest"
    writes = MappingProxyType({"best": Keeping.DURABLE})

    async def run(self, ctx: StageContext) -> None:
        """Writes `best`: Best, as JSON."""
        ctx.state["best"] = asdict(Best())


class TrackBest(Stage):
    """Hold the new measurement against the best one, and keep the weights where it is better."""

    name = "TrackBest"
    reads = ("session",)
    writes = MappingProxyType({"best": Keeping.DURABLE})

    async def run(self, ctx: StageContext) -> None:
        """Writes `best`. Says so where the run will stop."""
        best = Best(**ctx.state["best"])
        if best.measured_at != ctx.step:  # else resumed here: this measurement is counted
            best = await self._counted(ctx, best)
        stops = best.waited and best.waited == ctx.config.early_stopping_patience
        if stops and ctx.step != ctx.total_steps:
            ctx.conclude(
                f"stopping at step {ctx.step} of {ctx.total_steps}: {_told(ctx, best)}, and "
                f"{best.waited} measurements since were no better"
            )

    async def _counted(self, ctx: StageContext, before: Best) -> Best:
        config = ctx.config
        if not (config.keep_best or config.early_stopping_patience):
            best = replace(before, measured_at=ctx.step)
            ctx.state["best"] = asdict(best)
            return best
        direction = direction_of(config.best_metric, config.best_is)
        best = before.after(_measured(ctx, config.best_metric), ctx.step, direction)
        if config.keep_best and best.step == ctx.step:
            await self._keep(ctx)
        ctx.state["best"] = asdict(best)
        return best

    async def _keep(self, ctx: StageContext) -> None:
        session: TrainingSession = ctx.state["session"]
        folder = ctx.scratch_folder("best")
        await ctx.wait(session.save_state(folder))
        ctx.log.store_tree(folder, _kept_name(ctx.step), step=ctx.step, made=False)
        kept = {int(record.name.removeprefix(_KEPT)): record for record in ctx.log.stored(_KEPT)}
        checkpoints = [record.step or 0 for record in ctx.log.stored(CHECKPOINTS)]
        wanted = steps_to_keep(kept, ctx.step, checkpoints)
        for step in kept.keys() - wanted:
            ctx.log.remove(kept[step].name)


class RestoreBest(Stage):
    """Put back the weights of the best measurement, for the final model to have."""

    name = "RestoreBest"
    reads = ("session", "best")

    async def run(self, ctx: StageContext) -> None:
        """Loads what TrackBest kept, unless the last weights are the best."""
        best = Best(**ctx.state["best"])
        if best.step is None or best.step == ctx.step:
            return
        (kept,) = ctx.log.stored(_kept_name(best.step))
        await ctx.wait(ctx.state["session"].load_state(kept.path))
        ctx.conclude(f"the final model is the one of step {best.step}: {_told(ctx, best)}")


class DropBest(Stage):
    """Drop the weights kept on the way: the final model is stored."""

    name = "DropBest"
    reads = ("final",)

    async def run(self, ctx: StageContext) -> None:
        """Removes what TrackBest kept."""
        for record in ctx.log.stored(_KEPT):
            ctx.log.remove(record.name)


def waited_long(patience: str) -> Predicate:
    """True once as many measurements in a row as the setting `patience` says were no better."""

    def holds(ctx: RunContext) -> bool:
        limit = getattr(ctx.config, patience)
        return bool(limit) and Best(**ctx.state["best"]).waited >= limit

    return Predicate(f"{patience} measurements were no better", holds)


def not_measured(cadence: str) -> Predicate:
    """True where measuring is wanted (the setting `cadence`), and the present weights were not."""

    def holds(ctx: RunContext) -> bool:
        wanted = bool(getattr(ctx.config, cadence))
        return wanted and Best(**ctx.state["best"]).measured_at != ctx.step

    return Predicate(f"{cadence} is set and these weights are not measured", holds)


def _kept_name(step: int) -> str:
    return f"{_KEPT}{step:06d}"


def _measured(ctx: StageContext, metric: str) -> float | None:
    measured = ctx.telemetry.measured(ctx.step)
    if metric not in measured:
        raise ConfigError(
            f"best_metric: given '{metric}', expected one that an evaluation measures"
            f"{nearest(metric, list(measured))} (there are {', '.join(sorted(measured))})"
        )
    return measured[metric]


def _told(ctx: StageContext, best: Best) -> str:
    value = "no number" if best.value is None else f"{best.value:.4g}"
    return f"{ctx.config.best_metric} was best at step {best.step} ({value})"
