"""A Hugging Face hub on loopback: real HTTP, repositories from folders, faults on request.

It speaks what the official client asks of a hub to list, fetch and upload, and nothing more.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tests.doubles.hub.faults import Faults, cut_short, damaged, error, rate_limited, takes
from tests.doubles.hub.repos import Repo, etag
from tests.doubles.hub.writing import ACCOUNT, READ_TOKEN, Writing

__all__ = ["GOOD_TOKEN", "OTHER_TOKEN", "READ_TOKEN", "HubDouble", "Repo", "rate_limited", "serve"]

GOOD_TOKEN = "hf_good"
OTHER_TOKEN = "hf_other"
"""A token of somebody who has been let in nowhere."""
_CHANGED = "2026-11-24T08:30:00.000Z"


@dataclass
class HubDouble(Faults, Writing):
    """The hub: its models and datasets by name, and what it was asked."""

    repos: dict[str, Repo] = field(default_factory=dict)
    datasets: dict[str, Repo] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    commits: list[list[str]] = field(default_factory=list)
    endpoint: str = ""

    def __post_init__(self) -> None:
        Writing.__init__(self)

    def routes(self) -> list[Route]:
        head_or_get = ["GET", "HEAD"]
        file = "/{ns}/{name}/resolve/{revision}/{path:path}"
        return [
            *self.writing_routes(),
            Route("/api/models", self._list),
            Route("/api/{kind}/{ns}/{name}/auth-check", self._auth_check),
            Route("/api/{kind}/{ns}/{name}", self._info),
            Route("/api/{kind}/{ns}/{name}/revision/{revision}", self._info),
            Route("/api/{kind}/{ns}/{name}/tree/{revision}", self._tree),
            Route("/{kind}" + file, self._file, methods=head_or_get),
            Route(file, self._file, methods=head_or_get),
        ]

    async def _list(self, request: Request) -> Response:
        if refused := self._trouble(request):
            return refused
        asked = request.query_params
        found = [
            (name, repo)
            for name, repo in self.repos.items()
            if asked.get("search", "").lower() in name.lower() and not repo.private
        ]
        if asked.get("sort") == "downloads":
            found.sort(key=lambda each: -each[1].downloads)
        return JSONResponse(
            [
                {
                    "_id": str(number),
                    "id": name,
                    "downloads": repo.downloads,
                    "gated": "manual" if repo.gated else False,
                    "lastModified": _CHANGED,
                }
                for number, (name, repo) in enumerate(found[: int(asked.get("limit", 1000))])
            ]
        )

    async def _auth_check(self, request: Request) -> Response:
        return self._refusal(request, needs_access=True) or JSONResponse({})

    async def _info(self, request: Request) -> Response:
        if refused := self._refusal(request, needs_access=False):
            return refused
        name, repo = self._repo(request)
        return JSONResponse(
            {
                "_id": "1",
                "id": name,
                "sha": repo.commit,
                "private": repo.private,
                "gated": "manual" if repo.gated else False,
                "tags": [],
                "siblings": [{"rfilename": repo.name_of(path)} for path in repo.files()],
            }
        )

    async def _tree(self, request: Request) -> Response:
        if refused := self._refusal(request, needs_access=True):
            return refused
        _, repo = self._repo(request)
        return JSONResponse(repo.tree())

    async def _file(self, request: Request) -> Response:
        if refused := self._refusal(request, needs_access=True):
            return refused
        _, repo = self._repo(request)
        name = request.path_params["path"]
        path = repo.folder / name
        if not path.is_file() or name in self.withheld:
            return error(404, "EntryNotFound", "Entry not found")
        headers = {"ETag": f'"{etag(path)}"', "X-Repo-Commit": repo.commit}
        if request.method == "GET" and takes(self.damaged, name):
            return damaged(path, headers)
        if request.method == "GET" and takes(self.cut, name):
            return cut_short(path, headers)
        return FileResponse(path, headers=headers)

    def _repo(self, request: Request) -> tuple[str, Repo]:
        name = f"{request.path_params['ns']}/{request.path_params['name']}"
        return name, self._of_kind(request)[name]

    def _of_kind(self, request: Request) -> dict[str, Repo]:
        is_data = request.path_params.get("kind") == "datasets"
        return self.datasets if is_data else self.repos

    def _refusal(self, request: Request, *, needs_access: bool) -> Response | None:
        """What a hub answers instead, in the order in which it looks."""
        if refused := self._trouble(request):
            return refused
        token = _token(request)
        name = f"{request.path_params['ns']}/{request.path_params['name']}"
        repo = self._of_kind(request).get(name)
        if repo is None or (repo.private and token != GOOD_TOKEN):
            return error(404 if token else 401, "RepoNotFound", "Repository not found")
        if repo.gated and needs_access and token != GOOD_TOKEN:
            return error(403 if token else 401, "GatedRepo", f"Access to {name} is restricted.")
        revision = request.path_params.get("revision", "main")
        if revision not in ("main", repo.commit):
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None

    def _trouble(self, request: Request) -> Response | None:
        """What is wrong whatever is asked."""
        self.note(request)
        if self.faults:
            return self.faults.pop(0)
        if self.down in request.url.path:
            return error(self.down_status, None, "Not now")
        token = _token(request)
        if token not in (None, GOOD_TOKEN, OTHER_TOKEN, READ_TOKEN):
            return error(401, None, "Invalid credentials in Authorization header")
        return None

    def note(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url.path}")

    def unless_known(self, request: Request) -> Response | None:
        if refused := self._trouble(request):
            return refused
        return None if _token(request) else error(401, None, "Invalid username or password.")

    def unless_writable(self, request: Request, owner: str | None = None) -> Response | None:
        if refused := self.unless_known(request):
            return refused
        if _token(request) != GOOD_TOKEN or (owner or request.path_params["ns"]) != ACCOUNT:
            return error(403, None, "You don't have the rights to write here")
        return None


def _token(request: Request) -> str | None:
    return request.headers.get("authorization", "").removeprefix("Bearer ") or None


@contextmanager
def serve(hub: HubDouble) -> Iterator[HubDouble]:
    """The hub on a free port of loopback, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    hub.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(Starlette(routes=hub.routes()), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.should_exit = True
        thread.join()
        hub.close_writing()
