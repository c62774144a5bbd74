"""A model in training at the service, which is made again where the service loses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import tinker

from kitchen_core.adapters.tinker.beyond_sdk import unload
from kitchen_core.adapters.tinker.failures import is_lost
from kitchen_core.adapters.tinker.journal import MAX_STEPS, Journal, Kind, Sent
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import PortError

Result = TypeVar("Result")
Create = Callable[[tinker.ServiceClient], tinker.APIFuture[tinker.TrainingClient]]

_ATTEMPTS = 3
"""How often in a row a model is made again without a single result: then it is no accident."""


class RemoteModel:
    """One model at the service.

    What is sent to it is noted. A server that was restarted, say, has lost it: then it is made again
    from its last saved state, or as it was at the start, and all since is sent again, so that the
    weights are the same. Whoever waits for a result gets the new one.
    """

    def __init__(self, service: Service, create: Create, client: tinker.TrainingClient) -> None:
        self._service = service
        self._create = create
        self._client = client
        self._journal = Journal()
        self._generation = 0
        self._fruitless = 0
        self._lost = False
        self._recovery: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, service: Service, create: Create) -> RemoteModel:
        """Make the model."""
        return cls(service, create, await service.make("start_session", create))

    @property
    def id(self) -> str:
        """What the service calls it."""
        return str(self._client.model_id)

    def send(
        self,
        request: Callable[[tinker.TrainingClient], tinker.APIFuture[Result]],
        kind: Kind = "reads",
    ) -> Sent[Result]:
        """Submit a request after all that was sent before. `result` waits for it."""
        sent = Sent(request, kind)
        if not self._lost:
            self._submit(sent)
        self._journal.add(sent)  # with all in it, a lost model is made again
        if self._recovery is None:  # else a new model may need all of them
            self._journal.make_room()
        return sent

    async def result(self, asked: str, sent: Sent[Result]) -> Result:
        """What the service answers. Raises PortErrors, also where a lost model can't be made again."""
        while True:
            if self._recovery is not None:
                await asyncio.shield(self._recovery)
            generation, future = sent.generation, sent.future
            assert future is not None
            try:
                found = await self._service.result(asked, future)
            except PortError as error:
                if not is_lost(error.__cause__):
                    self._journal.drop(sent)
                    raise
                self._recover(generation, error)
            else:
                self._fruitless = 0
                self._journal.answer(sent)
                return found

    @property
    def generation(self) -> int:
        """How often the model was made again."""
        return self._generation

    def lose(self, generation: int, error: PortError) -> None:
        """Weights of that generation are gone, and so is the model, though nobody has asked it since.
        Raises `error` where making it again would not bring them back.
        """
        self._recover(generation, error)

    def holds(self, sent: Sent) -> bool:
        """Whether a request is sent again where the model is made again."""
        return sent in self._journal.requests

    def forget(self, sent: Sent) -> None:
        """A snapshot is of no use any more."""
        self._journal.drop(sent)

    def last_step(self) -> Sent | None:
        """The newest step that was sent: what is saved now holds all up to it."""
        return self._journal.last_step()

    def saved(self, path: str, through: Sent | None) -> None:
        """A state was saved there, after that step: from now on the model is made again from it."""
        self._create = from_state(path)
        self._journal.saved(through)

    async def load(self, path: str) -> None:
        """Go on from a saved state. Nothing may be under way. Where it fails, all stays as it was.

        A service loads only into a new model, so a new one takes the old one's place, also that of one
        that is lost. Meanwhile nobody else makes it again.
        """
        if self._recovery is not None:
            await asyncio.wait([self._recovery])
        before = self._recovery
        self._recovery = asyncio.create_task(self._replace(path))
        try:
            await asyncio.shield(self._recovery)
        except Exception:
            self._recovery = before
            raise

    async def close(self) -> None:
        """Give the model back."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
        await unload(self._service, self.id)

    async def _replace(self, path: str) -> None:
        create, old = from_state(path), self.id
        self._client = await self._service.make_from("load_state", create)
        self._create, self._journal = create, Journal()
        self._generation += 1
        self._lost, self._recovery, self._fruitless = False, None, 0
        await unload(self._service, old)

    def _recover(self, generation: int, error: PortError) -> None:
        """Make the model again, once for all who wait for it. Raises `error` where that is of no use."""
        if generation != self._generation or self._recovery is not None:
            return
        if self._fruitless == _ATTEMPTS:
            raise error
        if not self._journal.whole:
            raise PortError(
                f"the server lost the model, more than {MAX_STEPS} steps after its last saved state",
                hint="Resume the run from its last checkpoint; lower save_every to lose less.",
            ) from error
        self._fruitless += 1
        self._service.notices.say(
            "waiting",
            "training",
            f"the server has lost the model ({error.message}); it is made again from its last saved "
            f"state",
        )
        self._lost = True
        self._recovery = asyncio.create_task(self._make_again())

    async def _make_again(self) -> None:
        """A failure stays, so that everyone who waits sees it."""
        try:
            async with asyncio.timeout(self._service.timeout_s):
                while not await self._sent_again():
                    pass
        except TimeoutError as error:
            raise self._service.too_late("recover") from error
        self._recovery = None

    async def _sent_again(self) -> bool:
        """Make the model, send everything again, and wait for what nobody else waits for: without it the
        weights would be others. False where the new model was lost meanwhile, too.
        """
        self._lost = True
        self._client = await self._service.make_again("recover", self._create)
        self._generation += 1
        try:
            while (sent := self._journal.first_before(self._generation)) is not None:
                future = self._submit(sent)
                if sent.kind == "snapshot":
                    await self._service.result("recover", future)
            self._lost = False
            for sent in self._journal.answered():
                assert sent.future is not None
                await self._service.result("recover", sent.future)
        except PortError as error:
            if not is_lost(error.__cause__):
                raise
            return False
        return True

    def _submit(self, sent: Sent[Result]) -> tinker.APIFuture[Result]:
        sent.future, sent.generation = sent.request(self._client), self._generation
        return sent.future


def from_state(path: str) -> Create:
    """Makes a model with the weights and the optimizer of a saved state."""
    return lambda client: client.create_training_client_from_state_with_optimizer(path)
