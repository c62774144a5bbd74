"""What earlier runs teach about the next: how far arithmetic was from what they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kitchen_core.store.quotes import Measured
from kitchen_core.store.records import Formula

_DIFFERENCES = {
    "model": 4,
    "lora_rank": 2,
    "gradient_checkpointing": 2,
    "batch_size": 1,
    "groups_per_batch": 1,
    "group_size": 1,
    "micro_batch_tokens": 1,
    "max_length": 1,
    "max_tokens": 1,
    "dataset": 1,
}
"""How much a setting that differs makes of two runs different ones."""


@dataclass(frozen=True, slots=True)
class Correction:
    """Factors on what the formula gives: measured over computed; and the power that a run drew. None: nothing to
    go by.
    """

    memory: float | None = None
    seconds_a_step: float | None = None
    other_seconds: float | None = None
    watts: float | None = None


NONE = Correction()


def correction(
    config: Mapping[str, object], formula: Formula, earlier: Iterable[Measured]
) -> Correction:
    """The closest of the earlier runs on the same device with as many threads, for each figure the closest that
    has it; of equally close ones the newest, which comes first.
    """
    alike = sorted(
        (run for run in earlier if _is_comparable(config, formula, run)),
        key=lambda run: _distance(config, run.config),
    )
    return Correction(
        memory=_first(_ratio(run.peak_memory_bytes, run.formula.memory_bytes) for run in alike),
        seconds_a_step=_first(
            _ratio(run.measured_seconds_a_step, run.formula.seconds_a_step) for run in alike
        ),
        other_seconds=_first(_ratio(_other(run), run.formula.other_seconds) for run in alike),
        watts=_first(_ratio(run.used_energy_j, run.busy_seconds) for run in alike),
    )


def _is_comparable(config: Mapping[str, object], formula: Formula, run: Measured) -> bool:
    return run.formula.device == formula.device and run.config.get("threads") == config["threads"]


def _distance(config: Mapping[str, object], other: Mapping[str, object]) -> int:
    return sum(
        weight for name, weight in _DIFFERENCES.items() if config.get(name) != other.get(name)
    )


def _other(run: Measured) -> float | None:
    """Seconds of a run that were not its steps."""
    if run.busy_seconds is None or run.measured_seconds_a_step is None or run.steps is None:
        return None
    return max(run.busy_seconds - run.steps * run.measured_seconds_a_step, 0.0)


def _ratio(measured: float | None, computed: float | None) -> float | None:
    return measured / computed if measured and computed else None


def _first(values: Iterable[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)
