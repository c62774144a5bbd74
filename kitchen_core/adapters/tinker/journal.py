"""What was sent to a model since its last saved state: with it, a lost model is made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import tinker

Result = TypeVar("Result")
Kind = Literal["reads", "gradient", "step", "snapshot"]

MAX_STEPS = 64
"""Steps that are kept for sending again; each holds its batch in memory."""


@dataclass(eq=False)
class Sent(Generic[Result]):
    """One request. kind: `gradient` and `step` move the model, and so have to be sent again to a new
    one; so has a `snapshot`, whose weights go with the model that they are of, until it is dropped.
    future, generation: its promise, and from which of the models made so far. answered: nobody waits for
    it any more.
    """

    request: Callable[[tinker.TrainingClient], tinker.APIFuture[Result]]
    kind: Kind
    future: tinker.APIFuture[Result] | None = None
    generation: int = -1
    answered: bool = False


@dataclass
class Journal:
    """The requests in their order, from the last saved state on.

    whole: nothing of them has been dropped for want of room.
    """

    requests: list[Sent] = field(default_factory=list)
    whole: bool = True

    def add(self, sent: Sent) -> None:
        """Note a request."""
        self.requests.append(sent)

    def make_room(self) -> None:
        """Of more than `MAX_STEPS` steps drop the oldest."""
        steps = [each for each in self.requests if each.kind == "step"]
        if len(steps) > MAX_STEPS:
            self._drop_through(steps[0])
            self.whole = False

    def answer(self, sent: Sent) -> None:
        """The request has its result. What only read need not be sent again."""
        sent.answered = True
        if sent.kind == "reads":
            self.drop(sent)

    def drop(self, sent: Sent) -> None:
        """The request failed, or is of no use any more."""
        if sent in self.requests:
            self.requests.remove(sent)

    def first_before(self, generation: int) -> Sent | None:
        """The first that the model of this generation has not been sent."""
        return next((each for each in self.requests if each.generation < generation), None)

    def answered(self) -> list[Sent]:
        """Those that nobody waits for."""
        return [each for each in self.requests if each.answered]

    def last_step(self) -> Sent | None:
        """The newest step: a state that is saved now holds all up to it. A gradient after it is in none."""
        return next((each for each in reversed(self.requests) if each.kind == "step"), None)

    def saved(self, through: Sent | None) -> None:
        """A state was saved that holds everything up to that step, which need not be sent again."""
        if through is None or through not in self.requests:
            return
        self._drop_through(through)
        self.whole = True

    def _drop_through(self, step: Sent) -> None:
        del self.requests[: self.requests.index(step) + 1]
