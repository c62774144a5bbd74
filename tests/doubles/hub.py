"""A Hugging Face hub on loopback: real HTTP, repositories from a folder, faults on request.

It speaks what the official client asks of a hub to fetch a model or a dataset, and nothing more.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

GOOD_TOKEN = "hf_good"
OTHER_TOKEN = "hf_other"


@dataclass
class Repo:
    """A repository: its files, its one commit, and whether only GOOD_TOKEN is let in."""

    folder: Path
    commit: str = "a" * 40
    gated: bool = False

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@dataclass
class HubDouble:
    """The hub: its models and datasets by name, what it was asked, and the faults that it answers with first."""

    repos: dict[str, Repo] = field(default_factory=dict)
    datasets: dict[str, Repo] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    faults: list[Response | Callable[[Request], Response]] = field(default_factory=list)
    withheld: set[str] = field(default_factory=set)
    """Files that are listed and then refused."""
    down: str = "never"
    """Requests with this in their path are refused."""
    down_status: int = 503
    endpoint: str = ""

    def routes(self) -> list[Route]:
        head_or_get = ["GET", "HEAD"]
        file = "/{ns}/{name}/resolve/{revision}/{path:path}"
        return [
            Route("/api/{kind}/{ns}/{name}/auth-check", self._auth_check),
            Route("/api/{kind}/{ns}/{name}", self._info),
            Route("/api/{kind}/{ns}/{name}/revision/{revision}", self._info),
            Route("/api/{kind}/{ns}/{name}/tree/{revision}", self._tree),
            Route("/{kind}" + file, self._file, methods=head_or_get),
            Route(file, self._file, methods=head_or_get),
        ]

    async def _auth_check(self, request: Request) -> Response:
        return self._refusal(request, needs_access=True) or JSONResponse({})

    async def _info(self, request: Request) -> Response:
        refused = self._refusal(request, needs_access=False)
        if refused:
            return refused
        name, repo = self._repo(request)
        return JSONResponse(
            {
                "_id": "1",
                "id": name,
                "sha": repo.commit,
                "private": False,
                "gated": "manual" if repo.gated else False,
                "tags": [],
                "siblings": [{"rfilename": _name(path, repo)} for path in repo.files()],
            }
        )

    async def _tree(self, request: Request) -> Response:
        refused = self._refusal(request, needs_access=True)
        if refused:
            return refused
        _, repo = self._repo(request)
        return JSONResponse(
            [
                {
                    "type": "file",
                    "oid": _etag(path),
                    "size": path.stat().st_size,
                    "path": _name(path, repo),
                }
                for path in repo.files()
            ]
        )

    async def _file(self, request: Request) -> Response:
        refused = self._refusal(request, needs_access=True)
        if refused:
            return refused
        _, repo = self._repo(request)
        path = repo.folder / request.path_params["path"]
        if not path.is_file() or request.path_params["path"] in self.withheld:
            return _error(404, "EntryNotFound", "Entry not found")
        headers = {"ETag": f'"{_etag(path)}"', "X-Repo-Commit": repo.commit}
        return FileResponse(path, headers=headers)

    def _repo(self, request: Request) -> tuple[str, Repo]:
        name = f"{request.path_params['ns']}/{request.path_params['name']}"
        return name, self._of_kind(request)[name]

    def _of_kind(self, request: Request) -> dict[str, Repo]:
        is_data = request.path_params.get("kind") == "datasets"
        return self.datasets if is_data else self.repos

    def _refusal(self, request: Request, *, needs_access: bool) -> Response | None:
        """What a hub answers instead, in the order in which it looks."""
        self.requests.append(f"{request.method} {request.url.path}")
        if self.faults:
            fault = self.faults.pop(0)
            return fault if isinstance(fault, Response) else fault(request)
        if self.down in request.url.path:
            return _error(self.down_status, None, "Not now")
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        if token not in (None, GOOD_TOKEN, OTHER_TOKEN):
            return _error(401, None, "Invalid credentials in Authorization header")
        name = f"{request.path_params['ns']}/{request.path_params['name']}"
        repo = self._of_kind(request).get(name)
        if repo is None:
            return _error(404 if token else 401, "RepoNotFound", "Repository not found")
        if repo.gated and needs_access and token != GOOD_TOKEN:
            return _error(403 if token else 401, "GatedRepo", f"Access to {name} is restricted.")
        revision = request.path_params.get("revision", "main")
        if revision not in ("main", repo.commit):
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None


def rate_limited(seconds: int) -> Response:
    """The answer of a hub that is asked too often."""
    return Response("", 429, headers={"retry-after": str(seconds)})


def echoing(status: int) -> Callable[[Request], Response]:
    """An error of a careless hub: its message has the request's headers in it."""
    return lambda request: _error(status, None, f"refused: {dict(request.headers)}")


@contextmanager
def serve(hub: HubDouble) -> Iterator[HubDouble]:
    """The hub on a free port of loopback, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    hub.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(Starlette(routes=hub.routes()), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.should_exit = True
        thread.join()


def _error(status: int, code: str | None, message: str) -> Response:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return JSONResponse({"error": message}, status, headers)


def _name(path: Path, repo: Repo) -> str:
    return path.relative_to(repo.folder).as_posix()


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
