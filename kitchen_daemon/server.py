"""HTTP over a Unix socket that only its owner may use, and that comes back when somebody deletes
it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
_UCRED = struct.Struct("3i")  # pid, uid, gid


class OwnerOnly(H11Protocol):
    """Drops connections of other users; the folder's mode keeps them out already, this is the
    second lock.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Check who is there."""
        peer: socket.socket = transport.get_extra_info("socket")
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        _, uid, _ = _UCRED.unpack(credentials)
        if uid not in (os.getuid(), 0):
            logger.warning("refused a connection of user %d", uid)
            transport.abort()
            return
        super().connection_made(transport)


class Server:
    """The app on one socket. is_ours: whether the home still is this daemon's; when not, it ends."""

    def __init__(self, app: FastAPI, path: Path, is_ours: Callable[[], bool]) -> None:
        self._path = path
        self._is_ours = is_ours
        config = uvicorn.Config(
            app,
            http=OwnerOnly,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)

    async def serve(self) -> None:
        """Serve until `stop`."""
        self._uvicorn.config.load()
        self._uvicorn.lifespan = self._uvicorn.config.lifespan_class(self._uvicorn.config)
        await self._uvicorn.startup(sockets=[_bound(self._path)])
        watch = asyncio.ensure_future(self._keep_bound())
        try:
            await self._uvicorn.main_loop()
        finally:
            watch.cancel()
            await self._uvicorn.shutdown()
            self._path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End `serve`; streams are cut."""
        self._uvicorn.should_exit = True

    async def _keep_bound(self) -> None:
        """Bind again when the socket has vanished or is another's; end when the home has gone."""
        inode = _inode(self._path)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._is_ours():
                logger.error("the home is not this daemon's any more; ending")
                self.stop()
                return
            if _inode(self._path) != inode:
                inode = await self._bind_again()

    async def _bind_again(self) -> int | None:
        """A new socket in place of the old; None where that can't be now, to be tried again."""
        logger.warning("the socket %s vanished; binding it again", self._path)
        old = list(self._uvicorn.servers)
        try:
            await self._uvicorn.startup(sockets=[_bound(self._path)])
        except OSError as error:
            logger.error("the socket could not be bound: %s", error)
            return None
        for server in old:
            server.close()
        self._uvicorn.servers = [each for each in self._uvicorn.servers if each not in old]
        return _inode(self._path)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _bound(path: Path) -> socket.socket:
    """A socket at the path, in a private folder, from the first moment for the owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    return bound
