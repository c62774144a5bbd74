"""What servers that speak Tinker's protocol have, and the SDK no method for."""

from __future__ import annotations

import contextlib

import httpx

from kitchen_core.adapters.tinker.service import Service

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
    """The tar of what was saved for a sampler, None where the server has no such route."""
    if service.base_url is None:
        return None
    run, _, name = path.removeprefix("tinker://").partition("/")
    checkpoint = name.rpartition("/")[2]
    route = f"/api/v1/training_runs/{run}/checkpoints/{checkpoint}/archive"
    async with httpx.AsyncClient(timeout=_DOWNLOAD_S) as http:
        try:
            key = service.headers()
            answer = await http.get(service.base_url.rstrip("/") + route, headers=key)
            if answer.next_request is not None:
                at = answer.next_request.url  # anywhere: the key goes only where it came from
                at_home = (at.scheme, at.netloc) == (answer.url.scheme, answer.url.netloc)
                answer = await http.get(at, headers=key if at_home else {})
        except httpx.HTTPError:
            return None
    return answer.content if answer.status_code == httpx.codes.OK else None


async def download(url: str) -> bytes:
    """A file behind a signed address; the key does not go there."""
    async with httpx.AsyncClient(timeout=_DOWNLOAD_S, follow_redirects=True) as http:
        answer = await http.get(url)
        answer.raise_for_status()
        return answer.content
