"""Kept checkpoints at a Tinker service: long lists, servers that can't, and what is refused here. What
every adapter does is in the contract.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import FastAPI, HTTPException

from kitchen_core.adapters.tinker.checkpoints import TinkerCheckpoints
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import AuthError, InvalidRequest, NotFound, Unsupported

KEY = "tml-key"
PATH = "tinker://run-1/weights/first"


def service(base_url: str) -> Service:
    return Service(KEY, base_url=base_url, project=None, timeout_s=30)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An app on a free port of loopback; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def basic_app() -> FastAPI:
    """What a client asks before anything else, and the models. Another server of the protocol."""
    app = FastAPI()

    @app.post("/api/v1/client/config")
    def config() -> dict:
        return {}

    @app.get("/api/v1/get_server_capabilities")
    def capabilities() -> dict:
        return {"supported_models": [{"model_name": "org/a"}, {"model_name": "org/b"}]}

    return app


def listing_app(total: int, asked: list[tuple[int, int]]) -> FastAPI:
    app = basic_app()
    kept = [
        {
            "checkpoint_id": f"weights/{n}",
            "checkpoint_type": "training",
            "time": f"2026-01-01T00:00:{n:02d}Z",
            "tinker_path": f"tinker://run-1/weights/{n}",
        }
        for n in range(total)
    ]

    @app.get("/api/v1/checkpoints")
    def checkpoints(limit: int, offset: int) -> dict:
        asked.append((limit, offset))
        cursor = {"offset": offset, "limit": limit, "total_count": total}
        return {"checkpoints": kept[offset : offset + limit], "cursor": cursor}

    return app


async def test_a_long_list_comes_whole_a_page_at_a_time():
    asked: list[tuple[int, int]] = []
    with served(listing_app(5, asked)) as address:
        found = await TinkerCheckpoints(service(address), page_size=2).list()
    assert [kept.path.rpartition("/")[2] for kept in found] == ["4", "3", "2", "1", "0"]
    assert asked == [(2, 0), (2, 2), (2, 4)]
    assert [kept.created_at - found[-1].created_at for kept in found] == [4, 3, 2, 1, 0]
    assert {(kept.size_bytes, kept.expires_at) for kept in found} == {(None, None)}


async def test_a_server_that_keeps_nothing_gives_an_empty_list():
    with served(listing_app(0, [])) as address:
        assert not await TinkerCheckpoints(service(address)).list()


async def test_a_server_without_these_routes_is_said_to_be_unable():
    with served(basic_app()) as address:
        port = TinkerCheckpoints(service(address))
        for call in (port.list(), port.expire(PATH, None), port.publish(PATH), port.delete(PATH)):
            with pytest.raises(Unsupported, match="this server can't") as refused:
                await call
            assert refused.value.port == "checkpoints"
            assert refused.value.hint
        assert await port.probe() == "reachable, 2 models"


@pytest.mark.parametrize("after_s", [60.0, 3599.0, 315_360_001.0])
async def test_the_services_bounds_are_told_before_it_is_asked(after_s):
    port = TinkerCheckpoints(service("http://127.0.0.1:9"))
    with pytest.raises(InvalidRequest) as refused:
        await port.expire(PATH, after_s)
    assert "3600 to 315360000 s" in refused.value.hint


@pytest.mark.parametrize("path", ["tinker://run-1/first", "weights/first", "tinker://a/b/c"])
async def test_what_can_be_no_path_is_not_asked_for(path):
    port = TinkerCheckpoints(service("http://127.0.0.1:9"))
    with pytest.raises(NotFound, match=path):
        await port.delete(path)


async def test_a_key_that_is_refused_is_named_and_never_shown():
    app = basic_app()

    @app.get("/api/v1/checkpoints")
    def checkpoints() -> None:
        raise HTTPException(401, "the key is not known")

    with served(app) as address, pytest.raises(AuthError, match="the key is not known") as refused:
        await TinkerCheckpoints(service(address)).list()
    assert refused.value.port == "checkpoints"
    assert KEY not in str(refused.value)
