"""Which version the weights will have when the work queued so far is done, and which samplers that leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kitchen_core.train.ports.errors import StaleSampler


class Versions:
    """Kept on the event loop, ahead of the compute thread.

    `current` counts the optimizer steps that were submitted and have not failed.
    """

    def __init__(self, adapter: str) -> None:
        self.current = 0
        self._adapter = adapter
        self._changes = 0
        self._loop = asyncio.get_running_loop()

    def submit_step(self) -> None:
        """An optimizer step was submitted."""
        self.submit_change()
        self.current += 1

    def submit_change(self) -> None:
        """Something was submitted that moves the weights."""
        self._changes += 1

    def correct(self, by: int) -> None:
        """From the compute thread: a step failed, or a state of another version was loaded.

        Applied on the event loop before the handle in question is seen to be done.
        """
        self._loop.call_soon_threadsafe(self._add, by)

    def freshness(self) -> Callable[[], None]:
        """A check that raises StaleSampler once anything is submitted that moves the weights from here."""
        taken_at, version = self._changes, self.current

        def check() -> None:
            if self._changes != taken_at:
                raise StaleSampler(
                    f"the weights have moved on since version {version}",
                    port="sampling_client",
                    adapter=self._adapter,
                    hint="Take a new sampler after each optimizer step, or a snapshot.",
                )

        return check

    def _add(self, by: int) -> None:
        self.current += by
