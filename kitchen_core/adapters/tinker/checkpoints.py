"""The checkpoints that a Tinker service keeps of one's runs: listed, let go, published, dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import tinker
from tinker.types import Checkpoint, CheckpointsListResponse, ParsedCheckpointTinkerPath

from kitchen_core.adapters.tinker.failures import lacks_route
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.checkpoints import KeptCheckpoint
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, PortError, Unsupported

Result = TypeVar("Result")

_PORT = "checkpoints"
_SHORTEST_S = 3600
_LONGEST_S = 10 * 365 * 24 * 3600
_SEE = "See which there are: kitchen checkpoints"


class TinkerCheckpoints:
    """Of the user whose key the service has. page_size: how many are asked for at once."""

    def __init__(self, service: Service, page_size: int = 100) -> None:
        self._service = service
        self._page_size = page_size

    async def list(self) -> Sequence[KeptCheckpoint]:
        """All of the user's, the newest first."""
        found: dict[str, KeptCheckpoint] = {}  # a page may repeat some when others come meanwhile
        offset, total = 0, 1
        while offset < total:
            page = await self._page(offset)
            found |= {each.tinker_path: _kept(each) for each in page.checkpoints}
            offset += len(page.checkpoints)
            total = page.cursor.total_count if page.cursor and page.checkpoints else 0
        return sorted(found.values(), key=lambda kept: kept.created_at, reverse=True)

    async def expire(self, path: str, after_s: float | None) -> None:
        """Let it go after so many seconds from now, an hour to ten years; None keeps it for ever."""
        asked = f"expire {path}"
        if after_s is not None and not _SHORTEST_S <= after_s <= _LONGEST_S:
            raise InvalidRequest(
                f"a checkpoint can't go after {after_s:g} s",
                hint=f"Tinker takes an hour to ten years: {_SHORTEST_S} to {_LONGEST_S} s.",
                **_where(asked),
            )
        seconds = None if after_s is None else round(after_s)
        await self._change(
            asked, path, lambda rest: rest.set_checkpoint_ttl_from_tinker_path(path, seconds)
        )

    async def publish(self, path: str, *, public: bool = True) -> None:
        """Let everybody load it, or no longer."""

        def change(rest: tinker.RestClient) -> tinker.APIFuture[None]:
            if public:
                return rest.publish_checkpoint_from_tinker_path(path)
            return rest.unpublish_checkpoint_from_tinker_path(path)

        await self._change(f"{'publish' if public else 'unpublish'} {path}", path, change)

    async def delete(self, path: str) -> None:
        """Drop it now."""
        await self._change(
            f"delete {path}", path, lambda rest: rest.delete_checkpoint_from_tinker_path(path)
        )

    async def probe(self) -> str:
        """Look whether the service answers, as whom, and with how many models."""
        able = await self._ask("probe", lambda rest: rest.get_server_capabilities())
        count = len(able.supported_models)
        who = await self._who()
        return f"reachable{f' as {who}' if who else ''}, {count} model{'' if count == 1 else 's'}"

    async def close(self) -> None:
        """Let go of the connection."""
        await self._service.close()

    async def _page(self, offset: int) -> CheckpointsListResponse:
        return await self._ask(
            "list checkpoints", lambda rest: rest.list_user_checkpoints(self._page_size, offset)
        )

    async def _who(self) -> str | None:
        """The user's name at the service; a server that takes any key knows none."""
        try:
            found = await self._ask("probe", lambda rest: rest.whoami())
        except PortError:
            return None
        return found.email or found.user_urn

    async def _change(
        self, asked: str, path: str, call: Callable[[tinker.RestClient], tinker.APIFuture[None]]
    ) -> None:
        """Raises NotFound for what is no checkpoint there."""
        try:
            ParsedCheckpointTinkerPath.from_tinker_path(path)
        except ValueError:
            message = f"{path!r} is no checkpoint's path at Tinker"
            raise NotFound(message, hint=_SEE, **_where(asked)) from None
        try:
            await self._ask(asked, call)
        except NotFound as error:
            message = f"there is no checkpoint {path}"
            raise NotFound(message, hint=_SEE, **_where(asked)) from error

    async def _ask(
        self, asked: str, call: Callable[[tinker.RestClient], tinker.APIFuture[Result]]
    ) -> Result:
        """Raises Unsupported where the server has no such route."""
        try:
            await self._service.check_reachable()
            return await self._service.rest(asked, call)
        except PortError as error:
            if lacks_route(error.__cause__):
                raise Unsupported(
                    f"this server can't {asked}",
                    hint="The hosted Tinker service can.",
                    **_where(asked),
                ) from error
            error.port = _PORT
            raise


def _kept(found: Checkpoint) -> KeptCheckpoint:
    return KeptCheckpoint(
        path=found.tinker_path,
        kind=found.checkpoint_type,
        created_at=found.time.timestamp(),
        expires_at=found.expires_at.timestamp() if found.expires_at else None,
        size_bytes=found.size_bytes,
        public=found.public,
    )


def _where(asked: str) -> dict[str, str]:
    return {"port": _PORT, "adapter": "tinker", "asked": asked}
