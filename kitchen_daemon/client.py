"""The daemon's client library: typed calls over the Unix socket."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel

from kitchen_core.home import Home
from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_daemon.adapter_models import AdapterInfo, AdaptersInfo
from kitchen_daemon.checkpoint_models import CheckpointChange, CheckpointInfo
from kitchen_daemon.models import (
    ArtifactInfo,
    Check,
    DaemonStatus,
    Launch,
    Lineage,
    Plan,
    Problem,
    RecipeDetail,
    RecipeSummary,
    Rendering,
    RenderRequest,
    RunInfo,
    StreamItem,
)

M = TypeVar("M", bound=BaseModel)
CALL_TIMEOUT_S = 60.0
RENDER_TIMEOUT_S = 180.0
KEEP_ALIVE_S = (
    30.0  # a stream that says nothing for longer than this is lost: the daemon pings every 10 s
)


class Unreachable(ConnectionError):  # noqa: N818 - named by the condition
    """No daemon answers on this home."""


class Refused(ValueError):  # noqa: N818
    """The daemon refused the request; `status` is the HTTP status."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.message = problem.message
        self.hint = problem.hint


class Client:
    """A connection to the daemon of one home. Runs are named by id, unique prefix or name."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._http = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(home.socket)),
            base_url="http://kitchen",
            timeout=CALL_TIMEOUT_S,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def status(self) -> DaemonStatus:
        """The daemon, at a glance."""
        return self._one(DaemonStatus, "GET", "/status")

    def doctor(self, *, probe: bool = False) -> list[Check]:
        """What works here and what is missing; `probe` asks the services too."""
        return self._many(Check, "GET", "/doctor", params={"probe": probe})

    def manifests(self) -> list[str]:
        """The names that a manifest can be asked for by."""
        return self._call("GET", "/manifests").json()

    def adapters(self, manifest: str = "dev", *, probe: bool = False) -> AdaptersInfo:
        """A manifest's ports and how each stands; `probe` asks whether it can be reached."""
        params = {"manifest": manifest, "probe": probe}
        return self._one(AdaptersInfo, "GET", "/adapters", params=params)

    def adapter(self, name: str) -> AdapterInfo:
        """One adapter, by name."""
        return self._one(AdapterInfo, "GET", "/adapter", params={"name": name})

    def shutdown(self) -> None:
        """Stop the daemon; workers go on."""
        self._call("POST", "/shutdown")

    def recipes(self) -> list[RecipeSummary]:
        """All recipes, shipped and own."""
        return self._many(RecipeSummary, "GET", "/recipes")

    def recipe(self, name: str) -> RecipeDetail:
        """One recipe whole, by name or path."""
        return self._one(RecipeDetail, "GET", "/recipe", params={"name": name})

    def plan(self, launch: Launch) -> Plan:
        """What a launch would do."""
        return self._one(Plan, "POST", "/plans", json=launch.model_dump())

    def render(self, request: RenderRequest) -> Rendering:
        """Rows as a launch would train on them; nothing is queued."""
        body = request.model_dump()
        return self._one(Rendering, "POST", "/renderings", json=body, timeout=RENDER_TIMEOUT_S)

    def launch(self, launch: Launch) -> RunInfo:
        """Queue a run."""
        return self._one(RunInfo, "POST", "/runs", json=launch.model_dump())

    def runs(
        self, *, status: str | None = None, recipe: str | None = None, limit: int | None = None
    ) -> list[RunInfo]:
        """Runs, newest first."""
        params = {"status": status, "recipe": recipe, "limit": limit}
        return self._many(RunInfo, "GET", "/runs", params=_given(params))

    def run(self, run: str) -> RunInfo:
        """One run."""
        return self._one(RunInfo, "GET", f"/runs/{_segment(run)}")

    def cancel(self, run: str) -> RunInfo:
        """Ask a run to end."""
        return self._one(RunInfo, "POST", f"/runs/{_segment(run)}/cancel")

    def pause(self, run: str) -> RunInfo:
        """Ask a run to save itself and stop for now."""
        return self._one(RunInfo, "POST", f"/runs/{_segment(run)}/pause")

    def resume(self, run: str, *, replace: bool = False) -> RunInfo:
        """Queue a run that stopped, to go on from its last checkpoint; `replace` a worker that
        does not respond.
        """
        return self._one(
            RunInfo, "POST", f"/runs/{_segment(run)}/resume", params={"replace": replace}
        )

    def retry(self, run: str) -> RunInfo:
        """Queue a new run with the same revision, config and pins."""
        return self._one(RunInfo, "POST", f"/runs/{_segment(run)}/retry")

    def events(
        self,
        run: str,
        *,
        after_seq: int = 0,
        kinds: Sequence[EventKind] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """A run's events in order, all or those of some kinds."""
        params = {"after_seq": after_seq, "kind": kinds, "limit": limit}
        return self._many(Event, "GET", f"/runs/{_segment(run)}/events", params=_given(params))

    def metrics(
        self, run: str, names: list[str] | None = None
    ) -> dict[str, list[list[float | None]]]:
        """Series as `{name: [[step, value], ...]}`."""
        return self._call(
            "GET", f"/runs/{_segment(run)}/metrics", params={"name": names or []}
        ).json()

    def chart(self, run: str, name: str, points: int) -> list[list[float | None]]:
        """A series in at most `points` buckets: `[first step, last step, min, max, last]` each."""
        return self._call(
            "GET", f"/runs/{_segment(run)}/chart", params={"name": name, "points": points}
        ).json()

    def artifacts(self, run: str) -> list[ArtifactInfo]:
        """What a run made."""
        return self._many(ArtifactInfo, "GET", f"/runs/{_segment(run)}/artifacts")

    def log(self, run: str, *, lines: int | None = None) -> list[str]:
        """What the run's workers printed, the last `lines` of it."""
        return self._call(
            "GET", f"/runs/{_segment(run)}/log", params=_given({"lines": lines})
        ).json()

    def lineage(self, node: str) -> Lineage:
        """Everything upstream and downstream of a run or an artifact."""
        return self._one(Lineage, "GET", f"/lineage/{_segment(node)}")

    def checkpoints(self, manifest: str) -> list[CheckpointInfo]:
        """What the service of a manifest keeps, the newest first."""
        return self._many(CheckpointInfo, "GET", "/checkpoints", params={"manifest": manifest})

    def change_checkpoint(self, change: CheckpointChange) -> None:
        """Let one go, publish it, drop it."""
        self._call("POST", "/checkpoints", json=change.model_dump())

    def stream(self, run: str | None = None, *, cursor: str | None = None) -> Iterator[StreamItem]:
        """Live items after `cursor` (all from the beginning without one), of one run or of
        everything.

        Ends when the daemon goes away (Unreachable is raised then); continue with the last item's
        cursor.
        """
        params = _given({"run": run})
        headers = {"Last-Event-ID": cursor} if cursor else {}
        timeout = httpx2.Timeout(CALL_TIMEOUT_S, read=KEEP_ALIVE_S)
        try:
            with self._http.stream(
                "GET", "/stream", params=params, headers=headers, timeout=timeout
            ) as response:
                if response.status_code >= 400:
                    response.read()
                    _raise_refusal(response)
                yield from _items(response)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None

    def _call(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **kwargs)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None
        if response.status_code >= 400:
            _raise_refusal(response)
        return response

    def _one(self, model: type[M], method: str, path: str, **kwargs: Any) -> M:
        return model.model_validate_json(self._call(method, path, **kwargs).content)

    def _many(self, model: type[M], method: str, path: str, **kwargs: Any) -> list[M]:
        return [model.model_validate(item) for item in self._call(method, path, **kwargs).json()]

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"no daemon answers at {self.home.socket} ({error})")


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _segment(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="")


def _raise_refusal(response: httpx2.Response) -> None:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        problem = Problem(
            message=f"the daemon answered {response.status_code}: {response.text[:200]}"
        )
    raise Refused(response.status_code, problem)


def _items(response: httpx2.Response) -> Iterator[StreamItem]:
    """Server-sent events as items: each is an `id:` line, a `data:` line and an empty one."""
    cursor = ""
    for line in _lines(response):
        if line.startswith(b"id: "):
            cursor = line[4:].decode()
        elif line.startswith(b"data: "):
            yield StreamItem(cursor=cursor, **json.loads(line[6:]))


def _lines(response: httpx2.Response) -> Iterator[bytes]:
    """Lines that a newline ends, and nothing else: what a model wrote may hold other separators.

    What was not finished when the connection broke is not a line.
    """
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
