"""Whether the server is there at all. The SDK asks one that is down again and again without a word, so whoever
waits for it looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

LOOK_S = 10.0
_ANSWER_S = 5.0


async def out_of_reach(base_url: str | None) -> str | None:
    """Why the server can't be reached, in a line; None where it answers, be it with an error.

    base_url: None stands for what the SDK asks then.
    """
    from tinker.lib.base_url import resolve_base_url

    url = httpx.URL(resolve_base_url(base_url))
    where = f"{url.host}:{url.port}" if url.port else url.host
    try:
        async with httpx.AsyncClient(timeout=_ANSWER_S) as http:
            await http.get(f"{url}/api/v1/healthz")
    except httpx.TimeoutException:
        return f"no answer from {where} within {_ANSWER_S:g} s"
    except (httpx.HTTPError, OSError) as error:
        return f"can't reach {where}: {str(error) or type(error).__name__}"
    return None


class Lookout:
    """Looks for the server now and then, as long as somebody waits for it, and tells where it is gone."""

    def __init__(
        self, base_url: str | None, tell: Callable[[str], None], every_s: float = LOOK_S
    ) -> None:
        self._base_url = base_url
        self._tell = tell
        self._every_s = every_s
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the caller waits for the server, with others or alone."""
        self._waiting += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            if why := await out_of_reach(self._base_url):
                self._tell(why)
