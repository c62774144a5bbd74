"""An adapter's archive is fetched whole, and the key goes to the server that it is for alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from kitchen_core.adapters.tinker.beyond_sdk import archive, download
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import Unavailable

KEY = "tml-for-one-server-only"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """An HTTP server on a port of its own, and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


async def test_an_archive_elsewhere_is_fetched_without_the_key():
    keys: list[str | None] = []

    def give(request: BaseHTTPRequestHandler) -> None:
        keys.append(request.headers.get("X-API-Key"))
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"packed")

    with serving(give) as elsewhere:

        def send_on(request: BaseHTTPRequestHandler) -> None:
            keys.append(request.headers.get("X-API-Key"))
            request.send_response(302)
            request.send_header("Location", f"{elsewhere}/signed")
            request.end_headers()

        with serving(send_on) as server:
            service = Service(KEY, base_url=server, project=None, timeout_s=5.0)
            assert await archive(service, "tinker://run/sampler_weights/final") == b"packed"
    assert keys == [KEY, None]


async def test_an_archive_further_on_at_the_same_server_is_fetched_with_it():
    keys: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        keys.append(request.headers.get("X-API-Key"))
        if request.path == "/download":
            request.send_response(200)
            request.end_headers()
            request.wfile.write(b"packed")
        else:
            request.send_response(302)
            request.send_header("Location", "/download")
            request.end_headers()

    with serving(answer) as server:
        service = Service(KEY, base_url=server, project=None, timeout_s=5.0)
        assert await archive(service, "tinker://run/sampler_weights/final") == b"packed"
    assert keys == [KEY, KEY]


async def test_an_archive_that_breaks_off_is_no_archive_that_there_is_not():
    """Else the adapter would be stored without its weights."""

    def fail(request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith("/broken/archive"):
            request.send_response(200)
            request.send_header("Content-Length", "1000")
            request.end_headers()
            request.wfile.write(b"half")
        else:
            request.send_error(503 if request.path.endswith("/busy/archive") else 404)

    with serving(fail) as server:
        service = Service(KEY, base_url=server, project=None, timeout_s=5.0)
        for name in ("broken", "busy"):
            with pytest.raises(Unavailable, match="can't be downloaded") as failed:
                await archive(service, f"tinker://run/sampler_weights/{name}")
            assert failed.value.hint
        assert await archive(service, "tinker://run/sampler_weights/none") is None


async def test_a_signed_address_that_fails_is_not_told():
    with (
        serving(lambda request: request.send_error(403)) as elsewhere,
        pytest.raises(Unavailable, match="answers 403") as failed,
    ):
        await download(f"{elsewhere}/weights?signature=planted")
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert "planted" not in failed.value.message
