"""Which of a run's measurements is the best, and when to stop waiting for a better one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["lowest", "highest"]
BestIs = Literal["auto", "lowest", "highest"]

_LOW_IS_GOOD = (
    *("nll", "loss", "kl", "perplexity", "bpb"),
    *("error", "errors", "malformed", "unparseable", "failed"),
)


def direction_of(metric: str, best_is: BestIs = "auto") -> Direction:
    """Which end of a metric is good. `auto` tells by the name: losses and errors are best at their
    lowest, everything else (accuracies, rewards) at its highest.
    """
    if best_is != "auto":
        return best_is
    words = metric.lower().replace("/", "_").split("_")
    return "lowest" if any(word in words for word in _LOW_IS_GOOD) else "highest"


@dataclass(frozen=True, slots=True)
class Best:
    """The best measurement so far. Plain values: it is kept in checkpoints as JSON.

    value, step: the best value and where it was measured; None before the first. measured_at: the
    newest measurement's step. waited: how many measurements have come since without a better one.
    """

    value: float | None = None
    step: int | None = None
    measured_at: int | None = None
    waited: int = 0

    def after(self, value: float | None, step: int, direction: Direction) -> Best:
        """With one more measurement. A value that is not finite (None) is never better; an equal
        one is not either, so that the earliest of equals is kept.
        """
        if value is not None and (self.value is None or _is_better(value, self.value, direction)):
            return Best(value, step, step)
        return replace(self, measured_at=step, waited=self.waited + 1)


def steps_to_keep(kept: Iterable[int], best: int, checkpoints: Iterable[int]) -> set[int]:
    """Of the steps whose weights are kept, those that may still be asked for: the best one, and what
    each checkpoint knows as the best: the newest from before it. A resume may start from any of them.
    """
    steps = sorted(kept)
    known = [[step for step in steps if step < checkpoint] for checkpoint in checkpoints]
    return {best} | {earlier[-1] for earlier in known if earlier}


def _is_better(value: float, than: float, direction: Direction) -> bool:
    return value < than if direction == "lowest" else value > than
