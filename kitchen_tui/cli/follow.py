"""Following a run live, through restarts of the daemon: every item once, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from kitchen_core.telemetry.schema import Event, EventKind, RunStatus
from kitchen_daemon.client import Client, Unreachable
from kitchen_daemon.models import FROM_NOW, RunInfo, StreamItem
from kitchen_tui.cli.patience import attempts

RECONNECT_SECONDS = 30.0
RETRY_SECONDS = 5.0
RESTING = frozenset(
    {
        EventKind.RUN_COMPLETED,
        EventKind.RUN_FAILED,
        EventKind.RUN_CANCELLED,
        EventKind.RUN_PAUSED,
        EventKind.RUN_INTERRUPTED,
    }
)
"""After these a run rests, unless somebody sends it on."""

STATUS_KINDS = RESTING | {EventKind.RUN_QUEUED, EventKind.RUN_HELD, EventKind.RUN_RUNNING}

T = TypeVar("T")


def rests(event: Event) -> bool:
    """Whether nothing more happens to the run by itself: it is held for one that has failed, say."""
    return event.kind in RESTING or bool(event.metadata.get("lost"))


RECIPE_KINDS = frozenset(
    {EventKind.RECIPE_REVISED, EventKind.RECIPE_BROKEN, EventKind.RECIPE_REMOVED}
)


def recipe_changes(client: Client) -> Iterator[Event]:
    """What becomes of recipes from now on, through restarts of the daemon. Raises Unreachable when it stays away."""
    cursor = FROM_NOW
    while True:
        try:
            for item in client.stream(cursor=cursor):
                cursor = item.cursor
                if item.event is not None and item.event.kind in RECIPE_KINDS:
                    yield item.event
        except Unreachable as error:
            _until_back(client, error)


def _until_back(client: Client, lost: Unreachable) -> None:
    for _ in attempts(RECONNECT_SECONDS):
        with suppress(Unreachable):
            client.status()
            return
    raise lost


class Follower:
    """Reads what happens to one run. on_away is told True when the daemon goes, False when it is back."""

    def __init__(self, client: Client, run_id: str, on_away: Callable[[bool], None]) -> None:
        self._client = client
        self._run_id = run_id
        self._on_away = on_away
        self._cursor: str | None = None
        self._away = False

    def ask(self, question: Callable[[], T]) -> T:
        """A call that outlives a restart of the daemon. Raises Unreachable when it stays away."""
        lost = Unreachable("the daemon went away")
        for _ in attempts(RECONNECT_SECONDS):
            try:
                answer = question()
            except Unreachable as error:
                lost = error
                self._tell(away=True)
                continue
            self._tell(away=False)
            return answer
        raise lost

    def until_rest(self) -> Iterator[StreamItem]:
        """Everything from the run's first event on, until it rests for good."""
        for item in self._items():
            yield item
            if item.event and rests(item.event):
                rest = self._rest_after(item.event.seq or 0)
                if rest is not None:
                    yield from rest
                    return

    def _items(self) -> Iterator[StreamItem]:
        """The stream, continued after its last item whenever it breaks."""
        while True:
            try:
                for item in self._client.stream(self._run_id, cursor=self._cursor):
                    self._cursor = item.cursor
                    yield item
            except Unreachable:
                pass
            self.ask(self._client.status)

    def _rest_after(self, seq: int) -> list[StreamItem] | None:
        """What still follows a resting event if it was the last of its kind, else None: a history
        also holds the rests that somebody has ended.
        """
        run = self._settled()
        later = self.ask(lambda: self._client.events(self._run_id, after_seq=seq))
        waits_in_vain = run.status is RunStatus.HELD
        at_rest = run.status.is_at_rest and run.paused_for is None  # else it goes on by itself
        if not (at_rest or waits_in_vain) or any(rests(event) for event in later):
            return None
        return [StreamItem(cursor=self._cursor or "", event=event) for event in later]

    def _settled(self) -> RunInfo:
        """The run; where it was interrupted with retries left, once the daemon had time to queue it again."""
        run = self.ask(lambda: self._client.run(self._run_id))
        for _ in attempts(RETRY_SECONDS):
            if run.status is not RunStatus.INTERRUPTED or run.retries >= run.max_retries:
                break
            run = self.ask(lambda: self._client.run(self._run_id))
        return run

    def _tell(self, *, away: bool) -> None:
        if away != self._away:
            self._away = away
            self._on_away(away)
