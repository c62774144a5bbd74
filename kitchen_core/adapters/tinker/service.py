"""The connection to a Tinker service: the key, the SDK's session, and waiting for results."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from kitchen_core.adapters.tinker.lookout import LOOK_S, Lookout, out_of_reach
from kitchen_core.adapters.tinker.notices import NoticeHandler
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    PortError,
    Timeout,
    Unavailable,
)
from kitchen_core.train.ports.notices import Notify, nobody

if TYPE_CHECKING:
    from tinker import APIFuture, RestClient, ServiceClient

Result = TypeVar("Result")

_PORT = "training_client"
_CLOSE_S = 5.0
"""How long the end of a run waits for the service to say goodbye."""
_PAUSE_S = 1.0


class Service:
    """One user's way to a Tinker service.

    Raises AuthError where there is no key, or it can't be one. timeout_s: how long to wait for one
    result: the SDK itself asks for it without end. look_s: how long after that to look whether the server
    is there at all.
    """

    def __init__(
        self,
        key: str | None,
        *,
        base_url: str | None,
        project: str | None,
        timeout_s: float,
        notify: Notify = nobody,
        look_s: float = LOOK_S,
    ) -> None:
        self._key = _checked(key)
        self.base_url = base_url
        self.timeout_s = timeout_s
        self.notices = NoticeHandler(notify)
        self._lookout = Lookout(base_url, lambda why: self.notices.say("waiting", "", why), look_s)
        self._project = project
        self._client: ServiceClient | None = None
        self._connecting = asyncio.Lock()
        os.environ["TINKER_TELEMETRY"] = "0"  # read when the SDK connects; nothing leaves unasked

    async def client(self) -> ServiceClient:
        """The SDK's client with its session at the service, made once."""
        async with self._connecting:
            if self._client is None:
                self._client = await self._off_loop("connect", self._connect)
            return self._client

    async def make(
        self, asked: str, create: Callable[[ServiceClient], APIFuture[Result]]
    ) -> Result:
        """What one of the `create_*` methods of the SDK's client gives."""
        client = await self.client()
        return await self.result(asked, await self._off_loop(asked, lambda: create(client)))

    async def make_again(
        self, asked: str, create: Callable[[ServiceClient], APIFuture[Result]]
    ) -> Result:
        """As `make`, of something that the service has lost: it may not be there yet, and it may have lost
        the session too, which is then begun anew.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._made_again(asked, create)
        except TimeoutError as error:
            raise self.too_late(asked) from error

    async def make_from(
        self, asked: str, create: Callable[[ServiceClient], APIFuture[Result]]
    ) -> Result:
        """As `make`, of something that the service may keep no longer: only where it is the session that it
        has lost, another one is begun. What the session has stays otherwise.
        """
        try:
            return await self.make(asked, create)
        except (NotFound, InvalidRequest):
            if not await self._has_lost_session():
                raise
        return await self.make_again(asked, create)

    async def rest(self, asked: str, call: Callable[[RestClient], APIFuture[Result]]) -> Result:
        """What a method of the SDK's RestClient gives, for which no session is needed."""

        def submit() -> APIFuture[Result]:
            from tinker import RestClient

            return call(RestClient(base_url=self.base_url, api_key=self._key))

        return await self.result(asked, await self._off_loop(asked, submit))

    async def result(self, asked: str, future: APIFuture[Result]) -> Result:
        """Wait for a result, `timeout_s` at most. Raises the PortErrors that failures.py names."""
        try:
            with self._lookout.waiting():
                return await asyncio.wait_for(future.result_async(), self.timeout_s)
        except TimeoutError as error:
            raise self.too_late(asked) from error
        except Exception as error:
            raise self._translated(error, asked) from error

    async def check_reachable(self) -> None:
        """Raise Unavailable at once where the SDK would ask a server that is down for minutes."""
        if why := await out_of_reach(self.base_url):
            hint = "Check that it runs, the network, and base_url in the manifest."
            raise Unavailable(why, port=_PORT, adapter="tinker", hint=hint)

    async def close(self) -> None:
        """Finish the session at the service. Says nothing of a failure: the run is over."""
        with contextlib.suppress(TimeoutError):  # somebody may be connecting still
            await asyncio.wait_for(self._let_go(self._client), _CLOSE_S)
        self.notices.detach()

    def too_late(self, asked: str) -> PortError:
        """What to raise when waiting is over, with what the service let us wait for."""
        why = f" ({self.notices.last_wait})" if self.notices.last_wait else ""
        return self._named(
            Timeout(
                f"no result after {self.timeout_s:g} s{why}",
                hint="Resume the run later, or raise timeout_s in the manifest.",
            ),
            asked,
        )

    def headers(self) -> dict[str, str]:
        """What a request of our own needs, where the SDK has no method for it."""
        return {"X-API-Key": self._key}

    def _connect(self) -> ServiceClient:
        from tinker import ServiceClient

        self.notices.attach()
        client = ServiceClient(api_key=self._key, base_url=self.base_url, project_id=self._project)
        _ = client.holder  # starts the session, which waits for the server
        return client

    async def _has_lost_session(self) -> bool:
        """Whether the service says so; one that can't be asked has it."""
        from kitchen_core.adapters.tinker.failures import lacks_route

        session = (await self.client()).holder.get_session_id()
        try:
            await self.rest("session", lambda rest: rest.get_session(session))
        except NotFound as error:
            return not lacks_route(error.__cause__)
        except PortError:
            return False
        return False

    async def _made_again(
        self, asked: str, create: Callable[[ServiceClient], APIFuture[Result]]
    ) -> Result:
        renewed = False
        while True:
            client = self._client
            try:
                return await self.make(asked, create)
            except PortError as error:
                if error.retryable:
                    await asyncio.sleep(_PAUSE_S)
                elif renewed or not isinstance(error, NotFound | InvalidRequest):
                    raise
                else:
                    await self._let_go(client)
                    renewed = True

    async def _let_go(self, client: ServiceClient | None) -> None:
        """Finish a session; the next call starts another, unless somebody has done so already."""
        async with self._connecting:
            if client is None or client is not self._client:
                return
            self._client = None
            # it may be gone, the server down, or one that knows no end of sessions
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close("success").result_async(), _CLOSE_S)

    async def _off_loop(self, asked: str, work: Callable[[], Result]) -> Result:
        """Run what blocks on a thread that the process's end does not wait for: the SDK asks a server
        that is down for minutes.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def settle(set_it: Callable[[], None]) -> None:
            if not done.done():
                set_it()

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                failure = error
                tell = lambda: done.set_exception(failure)  # noqa: E731
            else:
                tell = lambda: done.set_result(result)  # noqa: E731
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, tell)

        threading.Thread(target=run, name="tinker-connect", daemon=True).start()
        try:
            with self._lookout.waiting():
                return await asyncio.wait_for(done, self.timeout_s)
        except TimeoutError as error:
            raise self.too_late(asked) from error
        except Exception as error:
            raise self._translated(error, asked) from error

    def _translated(self, error: Exception, asked: str) -> Exception:
        from kitchen_core.adapters.tinker.failures import translate

        translated = translate(error)
        return self._named(translated, asked) if isinstance(translated, PortError) else translated

    def _named(self, error: PortError, asked: str) -> PortError:
        error.port = error.port or _PORT
        error.adapter = error.adapter or "tinker"
        error.asked = error.asked or asked
        return error


def _checked(key: str | None) -> str:
    """The key, where it looks like one. It is never shown."""
    if not key:
        raise AuthError(
            "there is no TINKER_API_KEY",
            port=_PORT,
            adapter="tinker",
            hint="Put it into secrets.env, or into the daemon's environment.",
        )
    if not key.startswith(("tml-", "eyJ")):
        raise AuthError(
            "TINKER_API_KEY is no Tinker key: those begin with tml-",
            port=_PORT,
            adapter="tinker",
            hint="Copy it again from the Tinker console.",
        )
    return key
