"""A daemon that answers from a script, on a real Unix socket; and the answers it gives."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel
from pydantic_core import to_json

from kitchen_core.home import Home
from kitchen_core.needs import Needs
from kitchen_core.telemetry.schema import Event, EventKind, MetricPoint, RunStatus
from kitchen_daemon.models import Problem, ProgressInfo, RunInfo, StreamItem

RUN_ID = "1qnc00000001"
Answer = BaseModel | list[Any] | dict[str, Any] | bytes


class Refusal(Exception):  # noqa: N818
    """An answer with a status of 400 or more."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(message=message, hint=hint)


class Cut(Exception):  # noqa: N818
    """The connection breaks here, as when the daemon goes away."""


class StubDaemon:
    """Answers `METHOD /path` from `answers`, and `/stream` from `streams`, one a connection.

    A stream is a list of items, of a Cut where it breaks, of a Signal where it waits. `asked` holds
    what came: method and path, query, body.
    """

    def __init__(self, home: Home) -> None:
        home.make()
        self.home = home
        self.answers: dict[str, Answer | Exception | Callable[[Any], Answer]] = {}
        self.streams: list[list[StreamItem | Cut | Signal]] = []
        self.cursors: list[str | None] = []
        self.asked: list[tuple[str, dict[str, list[str]], Any]] = []
        self._server = _Server(str(home.socket), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.home.socket.unlink(missing_ok=True)

    def bodies(self, route: str) -> list[Any]:
        """What was posted to a route."""
        return [body for asked, _, body in self.asked if asked == route]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of all but a client that has gone away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(stub: StubDaemon) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *args: object) -> None:
            """Keep the tests' output clean."""

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def do_PUT(self) -> None:
            self._answer("PUT")

        def do_DELETE(self) -> None:
            self._answer("DELETE")

        def do_PATCH(self) -> None:
            self._answer("PATCH")

        def _answer(self, method: str) -> None:
            url = urlsplit(self.path)
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else None
            route = f"{method} {unquote(url.path)}"
            stub.asked.append((route, parse_qs(url.query), body))
            if route == "GET /stream":
                self._stream()
                return
            answer = stub.answers.get(route, Refusal(404, f"no answer to {route}"))
            if callable(answer):
                try:
                    answer = answer(body)
                except (Cut, Refusal) as raised:
                    answer = raised
            if isinstance(answer, Cut):
                self.close_connection = True
            elif isinstance(answer, Refusal):
                self._send(answer.status, answer.problem)
            else:
                self._send(200, answer)

        def _send(self, status: int, value: Any) -> None:
            content = value if isinstance(value, bytes) else to_json(value, by_alias=True)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self) -> None:
            stub.cursors.append(self.headers.get("Last-Event-ID"))
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            for item in stub.streams.pop(0):
                if isinstance(item, Cut):
                    return
                if isinstance(item, Signal):
                    item.wait(30)
                    continue
                data = item.model_dump_json(exclude={"cursor"}, exclude_defaults=True)
                chunk = f"id: {item.cursor}\ndata: {data}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    return Handler


def run_info(**changes: Any) -> RunInfo:
    """A completed run of sl_basic, with changes."""
    facts: dict[str, Any] = {
        "id": RUN_ID,
        "name": "sl_basic",
        "recipe": "sl_basic",
        "workflow": "supervised",
        "status": RunStatus.COMPLETED,
        "reason": None,
        "preset": None,
        "manifest": "dev",
        "adapters": {},
        "seed": 0,
        "config": {"seed": 0, "learning_rate": 0.001, "max_steps": 2},
        "config_hash": "c" * 64,
        "recipe_revision": "d" * 64,
        "pins": {},
        "attempt": 1,
        "priority": 0,
        "after": [],
        "after_any": [],
        "queue_group": "main",
        "not_before": None,
        "window": None,
        "preempts": False,
        "max_retries": 0,
        "retries": 0,
        "paused_for": None,
        "schedule_id": None,
        "needs": Needs(),
        "retry_of": None,
        "created_at": 1000.0,
        "started_at": 1001.0,
        "finished_at": 1013.0,
        "progress": ProgressInfo(step=2, total_steps=2, eta_s=0.0),
        "metrics": {"train_mean_nll": 0.25, "test/exact_match": 0.5},
        "error": None,
        "parents": [],
        "artifacts": [],
    }
    return RunInfo(**(facts | changes))


def event(seq: int, kind: EventKind, **changes: Any) -> Event:
    """A run's event; its store-wide id is 100 + seq."""
    facts = {"id": 100 + seq, "run_id": RUN_ID, "seq": seq, "attempt": 1, "at": 1000.0 + seq}
    return Event(**(facts | {"kind": kind} | changes))


def event_item(seq: int, kind: EventKind, **changes: Any) -> StreamItem:
    """An event as the stream brings it."""
    return StreamItem(cursor=f"{100 + seq}.0", event=event(seq, kind, **changes))


def metrics_item(step: int, **values: float | None) -> StreamItem:
    """A step's metrics as the stream brings them; `test__nll` is named test/nll."""
    points = [
        MetricPoint(
            id=step + 1, run_id=RUN_ID, name=name.replace("__", "/"), step=step, value=value
        )
        for name, value in values.items()
    ]
    return StreamItem(cursor=f"100.{step + 1}", metrics=points)


def history(*, ends: EventKind = EventKind.RUN_COMPLETED) -> list[StreamItem | Cut | Signal]:
    """A short run's stream: queued, running, one evaluation, two steps, and how it ends."""
    measured = {"test/nll": 2.5, "test/exact_match": 0.25, "test/exact_match_stderr": 0.125}
    answer = {"question": "1+1?", "completion": "2", "expected": "2", "correct": True, "index": 0}
    return [
        event_item(1, EventKind.RUN_CREATED),
        event_item(2, EventKind.RUN_QUEUED),
        event_item(3, EventKind.RUN_RUNNING),
        event_item(4, EventKind.EVAL_COMPLETED, step=0, measurements=measured),
        event_item(5, EventKind.SAMPLE_LOGGED, step=0, metadata=answer),
        metrics_item(0, train_mean_nll=2.0),
        metrics_item(1, train_mean_nll=1.0),
        event_item(6, ends),
    ]


def kitchen(
    home: Home, *arguments: str, environ: dict[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """`kitchen` in a process of its own, with its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "kitchen_tui.cli", *arguments],
        text=True,
        env=_environment(home) | (environ or {}),
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
    )


def _environment(home: Home) -> dict[str, str]:
    """This one's, less what says how wide a terminal is."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    return kept | {"KITCHEN_HOME": str(home.root), "PYTHONPATH": os.pathsep.join(_packages())}


def _packages() -> Iterable[str]:
    import kitchen_tui

    return [str(Path(kitchen_tui.__file__).parent.parent)]
