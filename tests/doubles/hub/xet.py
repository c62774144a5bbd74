"""The storage that a hub keeps large files in, by the storage's own library, in a folder."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

import hf_xet
from huggingface_hub.utils._xet import get_xet_session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class XetStorage:
    """Content by the hashes that the library gives it. The library finds the folder by an address."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xet-double-"))
        self.endpoint = ""
        self.hash_of = cache(self._put)

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def routes(self) -> list[Route]:
        return [Route("/xet-token", self._token)]

    def headers(self, path: Path) -> dict[str, str]:
        """What tells the client that a file is to be had here."""
        return {
            "X-Xet-Hash": self.hash_of(path),
            "X-Xet-Refresh-Route": f"{self.endpoint}/xet-token",
        }

    async def _token(self, request: Request) -> Response:
        expires = int(time.time()) + 3600
        where = f"local://{self.folder}"
        return JSONResponse(
            {"casUrl": where, "accessToken": "t", "exp": expires},
            headers={
                "X-Xet-Cas-Url": where,
                "X-Xet-Access-Token": "t",
                "X-Xet-Token-Expiration": str(expires),
            },
        )

    def _put(self, path: Path) -> str:
        session = get_xet_session()
        with session.new_upload_commit(
            token_refresh_url=f"{self.endpoint}/xet-token",
            token_refresh_headers={},
            custom_headers={},
            progress_callback=None,
        ) as commit:
            stored = commit.start_upload_file(str(path), sha256=hf_xet.COMPUTE_SHA256)
        return stored.result().xet_info.hash
