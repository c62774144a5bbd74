"""Optimizer steps: what is asked of the service, and how many have been taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tinker

from kitchen_core.adapters.tinker.lane import Turn
from kitchen_core.adapters.tinker.remote_model import RemoteModel
from kitchen_core.adapters.versions import Versions
from kitchen_core.train.ports.errors import InvalidRequest, PortError
from kitchen_core.train.types import AdamParams, OptimResult


@dataclass
class Steps:
    """The steps of one model. taken: those that have succeeded; of a call that waits until all earlier ones
    have ended, exactly those before it.
    """

    model: RemoteModel
    versions: Versions
    taken: int = 0
    _has_gradient: bool = False

    def gradient_is_coming(self) -> None:
        """There is something to step on."""
        self._has_gradient = True

    async def take(self, turn: Turn, adam: AdamParams) -> OptimResult:
        """One AdamW step. One that fails does not count."""
        try:
            async with turn:
                if not self._has_gradient:
                    raise InvalidRequest(
                        "there is no gradient to step on", hint="Call forward_backward first."
                    )
                params = _adam(adam)
                sent = self.model.send(lambda client: client.optim_step(params), "step")
                self._has_gradient = False
            answer = await self.model.result("optim_step", sent)
        except PortError:
            self.versions.correct(-1)
            raise
        await turn.earlier_calls_are_done()
        self.taken += 1
        return OptimResult(self.taken, _metrics(answer.metrics or {}))

    def go_on_from(self, taken: int) -> None:
        """A state was loaded that has so many steps behind it, and no gradient."""
        self.versions.correct(taken - self.taken)
        self.taken, self._has_gradient = taken, False


def _adam(adam: AdamParams) -> tinker.AdamParams:
    """Everything is said: what the SDK and the servers take by default differs."""
    return tinker.AdamParams(
        learning_rate=adam.learning_rate,
        beta1=adam.beta1,
        beta2=adam.beta2,
        eps=adam.eps,
        weight_decay=adam.weight_decay,
        grad_clip_norm=adam.grad_clip_norm,
    )


def _metrics(given: Mapping[str, float]) -> dict[str, float]:
    """A server's metrics by our names: `skyrl.ai/grad_norm:mean` is `grad_norm`."""
    named = {name.rpartition("/")[2].partition(":")[0]: float(v) for name, v in given.items()}
    named.pop("learning_rate", None)
    return named
