"""How huggingface_hub speaks HTTP here: it asks once, for retrying is the policy's in `retry.py`."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx2
from huggingface_hub import hf_raise_for_status, set_client_factory
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils._http import hf_request_event_hook

TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
"""Seconds of silence after which a hub counts as gone; the library by itself waits for ever."""

_MAY_PASS = (408, 429, 500, 502, 503, 504)
"""Answers after which the library would sleep and ask again."""


class Interrupted(Exception):  # noqa: N818 - named by the condition
    """A request failed in a way that may pass; its cause says how.

    No error that the library knows: at its own ones it asks again for half a minute, or makes do
    with whatever files it finds.
    """


@cache
def ask_once() -> None:
    """Make the library's client one that asks once. It is this process's only one, so set it once."""
    set_client_factory(_new_client)


def _new_client() -> httpx2.Client:
    """The library's default client, but for the retries and the patience."""
    hooks = {"request": [hf_request_event_hook]}
    return _AskingOnce(event_hooks=hooks, follow_redirects=True, timeout=TIMEOUT)


class _AskingOnce(httpx2.Client):
    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request. Raises Interrupted."""
        try:
            response = super().send(request, **options)
            if response.status_code in _MAY_PASS:
                response.read()
                hf_raise_for_status(response)
        except (httpx2.TransportError, HfHubHTTPError) as error:
            raise Interrupted from error
        return response
