"""What adapters have to say, in one line each."""

from __future__ import annotations

import pytest

from kitchen_core.telemetry.schema import Event, EventKind, MetricPoint
from kitchen_daemon.models import StreamItem
from kitchen_tui.cli.run_view import RunView
from kitchen_tui.cli.views.events import event_line
from kitchen_tui.cli.views.watching import log_words
from tests.kitchen_tui.support import run_info

OF_LLM = {"port": "llm", "adapter": "openai", "asked": "an answer"}


def told(kind, **metadata):
    return Event(
        id=1, run_id="r", seq=1, attempt=1, at=0.0, kind=kind, step=7, metadata=OF_LLM | metadata
    )


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            told(EventKind.PORT_RETRIED, message="asked to slow down", attempt=1, wait_s=4.12),
            "llm/openai: asked to slow down; attempt 2 in 4.1 s",
        ),
        (
            told(EventKind.PORT_RETRIED, message="no answer", attempt=5),
            "llm/openai: no answer; attempt 5 was the last",
        ),
        (
            told(EventKind.PORT_WAITING, message="down", wait_s=30.0),
            "llm/openai: down; asking again in 30 s",
        ),
        (told(EventKind.PORT_WAITING, message="answers again"), "llm/openai: answers again"),
    ],
)
def test_a_notice_says_who_and_what_and_what_comes_next(event, line):
    assert event_line(event).endswith(f"       7  {event.kind:<18}{line}")
    assert log_words(event) == line


def test_a_watcher_sees_it_until_the_run_goes_on():
    view = RunView(run_info())
    notice = told(EventKind.PORT_WAITING, message="down", wait_s=30.0)
    view.take(StreamItem(cursor="1-0", event=notice))
    assert view.note == notice
    point = MetricPoint(id=1, run_id="r", name="loss", step=8, value=0.5)
    view.take(StreamItem(cursor="1-1", metrics=[point]))
    assert view.note is None
