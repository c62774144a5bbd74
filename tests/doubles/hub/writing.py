"""The side of a hub that takes uploads: who am I, make a repository, commit."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.doubles.hub.faults import error
from tests.doubles.hub.repos import LARGE, Repo, etag

ACCOUNT = "me"
READ_TOKEN = "hf_read"
"""A token that may read everything and write nothing."""


class Writing:
    """Uploads. What comes is kept as files of a repository; nothing of it shows before the commit."""

    repos: dict[str, Repo]
    requests: list[str]
    endpoint: str
    commits: list[list[str]]
    """The names of the files of each commit."""

    def __init__(self) -> None:
        self._stored: dict[str, bytes] = {}
        self._made = Path(tempfile.mkdtemp(prefix="hub-double-"))

    def close_writing(self) -> None:
        shutil.rmtree(self._made)

    def writing_routes(self) -> list[Route]:
        of_repo = "/api/models/{ns}/{name}"
        return [
            Route("/api/whoami-v2", self._whoami),
            Route("/api/validate-yaml", self._validate, methods=["POST"]),
            Route("/api/repos/create", self._create, methods=["POST"]),
            Route(of_repo + "/preupload/{revision}", self._preupload, methods=["POST"]),
            Route("/{ns}/{name}.git/info/lfs/objects/batch", self._batch, methods=["POST"]),
            Route("/storage/{oid}", self._store, methods=["PUT"]),
            Route(of_repo + "/commit/{revision}", self._commit, methods=["POST"]),
        ]

    async def _whoami(self, request: Request) -> Response:
        refused = self.unless_known(request)
        return refused or JSONResponse({"type": "user", "name": ACCOUNT, "orgs": []})

    async def _validate(self, request: Request) -> Response:
        """A card has front matter here, which names a license as a string."""
        self.note(request)
        content = (await request.json())["content"]
        if "license: [" in content:
            return JSONResponse({"errors": [{"message": '"license" must be a string'}]}, 400)
        return JSONResponse({"errors": [], "warnings": []})

    async def _create(self, request: Request) -> Response:
        asked = await request.json()
        owner = asked["organization"] or ACCOUNT
        name = f"{owner}/{asked['name']}"
        if refused := self.unless_writable(request, owner):
            return refused
        page = {"url": f"{self.endpoint}/{name}"}
        if name in self.repos:
            return JSONResponse(page | {"error": "You already created this model repo"}, 409)
        folder = self._made / name
        folder.mkdir(parents=True)
        private = asked.get("visibility") == "private"
        self.repos[name] = Repo(folder, commit="0" * 40, private=private)
        return JSONResponse(page)

    async def _preupload(self, request: Request) -> Response:
        if refused := self.unless_writable(request):
            return refused
        files = (await request.json())["files"]
        repo = self._repo_of(request)
        return JSONResponse(
            {
                "files": [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                        "oid": _oid(repo.folder / file["path"]),
                    }
                    for file in files
                ]
            }
        )

    async def _batch(self, request: Request) -> Response:
        if refused := self.unless_writable(request):
            return refused
        objects = (await request.json())["objects"]
        given = [
            each | {"actions": {"upload": {"href": f"{self.endpoint}/storage/{each['oid']}"}}}
            for each in objects
        ]
        return JSONResponse({"transfer": "basic", "objects": given})

    async def _store(self, request: Request) -> Response:
        self.note(request)
        content, oid = await request.body(), request.path_params["oid"]
        if hashlib.sha256(content).hexdigest() != oid:
            return error(400, None, "The content is not what its name says")
        self._stored[oid] = content
        return Response()

    async def _commit(self, request: Request) -> Response:
        if refused := self.unless_writable(request):
            return refused
        lines = [json.loads(line) for line in (await request.body()).splitlines() if line]
        contents = {line["value"]["path"]: self._content(line) for line in lines[1:]}
        repo = self._repo_of(request)
        for name, content in contents.items():
            path = repo.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.commits.append(sorted(contents))
        repo.commit = hashlib.sha1(repr(sorted(contents.items())).encode()).hexdigest()
        page = f"{self.endpoint}/{self._name_of(request)}/commit/{repo.commit}"
        return JSONResponse({"success": True, "commitUrl": page, "commitOid": repo.commit})

    def _content(self, line: dict[str, Any]) -> bytes:
        value = line["value"]
        if line["key"] == "lfsFile":
            return self._stored[value["oid"]]
        return base64.b64decode(value["content"])

    def _name_of(self, request: Request) -> str:
        return f"{request.path_params['ns']}/{request.path_params['name']}"

    def _repo_of(self, request: Request) -> Repo:
        return self.repos[self._name_of(request)]

    def note(self, request: Request) -> None:
        raise NotImplementedError

    def unless_known(self, request: Request) -> Response | None:
        raise NotImplementedError

    def unless_writable(self, request: Request, owner: str | None = None) -> Response | None:
        raise NotImplementedError


def _oid(path: Path) -> str | None:
    return etag(path) if path.is_file() else None
