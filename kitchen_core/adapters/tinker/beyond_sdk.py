"""What servers that speak Tinker's protocol have, and the SDK no method for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx

from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import Unavailable

_UNLOAD_S = 5.0
_DOWNLOAD_S = 300.0


async def unload(service: Service, model_id: str) -> None:
    """Give a model's place to others, where the server takes it back before the session ends. A failure
    costs nothing: the place is free when the session is over.
    """
    if service.base_url is None:
        return
    async with httpx.AsyncClient(headers=service.headers(), timeout=_UNLOAD_S) as http:
        with contextlib.suppress(httpx.HTTPError):
            url = f"{service.base_url.rstrip('/')}/api/v1/unload_model"
            await http.post(url, json={"model_id": model_id, "type": "unload_model"})


async def archive(service: Service, path: str) -> bytes | None:
    """The tar of what was saved for a sampler, None where the server has no such thing. Raises Unavailable
    where it can't be fetched.
    """
    if service.base_url is None:
        return None
    run, _, name = path.removeprefix("tinker://").partition("/")
    checkpoint = name.rpartition("/")[2]
    route = f"/api/v1/training_runs/{run}/checkpoints/{checkpoint}/archive"
    async with _fetching() as http:
        key = service.headers()
        answer = await http.get(service.base_url.rstrip("/") + route, headers=key)
        if answer.next_request is not None:
            at = answer.next_request.url  # anywhere: the key goes only where it came from
            at_home = (at.scheme, at.netloc) == (answer.url.scheme, answer.url.netloc)
            answer = await http.get(at, headers=key if at_home else {})
        if answer.is_client_error:
            return None
        answer.raise_for_status()
        return answer.content


async def download(url: str) -> bytes:
    """A file behind a signed address; the key does not go there. Raises Unavailable."""
    async with _fetching() as http:
        answer = await http.get(url, follow_redirects=True)
        answer.raise_for_status()
        return answer.content


@contextlib.asynccontextmanager
async def _fetching() -> AsyncIterator[httpx.AsyncClient]:
    """A failure is told without the address: whoever has a signed one needs no key."""
    try:
        async with httpx.AsyncClient(timeout=_DOWNLOAD_S) as http:
            yield http
    except httpx.HTTPStatusError as error:
        raise _broken_off(f"the server answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise _broken_off(str(error) or type(error).__name__) from None


def _broken_off(why: str) -> Unavailable:
    return Unavailable(f"the adapter can't be downloaded: {why}", hint="Resume the run.")
