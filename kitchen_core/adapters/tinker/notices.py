"""What the Tinker SDK writes to its log while it waits, as notices of the run."""

from __future__ import annotations

import logging
import re
import time

from tinker.lib import queue_state_logger

from kitchen_core.train.ports.notices import Notice, Notify

_LOGGER = "tinker"
_QUIET_S = 60.0
PAUSE_TOLD_AFTER_S = 30.0
"""How long the service may let a request wait for room before it is told."""

_IDS = re.compile(r"\b(?:self\.)?request_id=\S+\s?|\b[\d.]+ seconds\b")
_WAITING = ("paused", "try_again", "heartbeat")


class NoticeHandler(logging.Handler):
    """Passes the SDK's warnings on, from the thread that they come from; the same one at most once a
    minute. The SDK asks again by itself, so its log is all that can be known of it.
    """

    def __init__(self, notify: Notify) -> None:
        super().__init__(logging.WARNING)
        self._notify = notify
        self._said: dict[str, float] = {}
        self.last_wait = ""

    def attach(self) -> None:
        """Begin to listen. The SDK would keep a pause to itself for a quarter of an hour."""
        queue_state_logger.PAUSE_GRACE_PERIOD = PAUSE_TOLD_AFTER_S
        logging.getLogger(_LOGGER).addHandler(self)

    def detach(self) -> None:
        """Listen no longer."""
        logging.getLogger(_LOGGER).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a warning on. An error is none: it comes back as an exception too."""
        if record.levelno != logging.WARNING:
            return
        message = _IDS.sub("", record.getMessage()).strip()
        waiting = any(word in message for word in _WAITING)
        self.say("waiting" if waiting else "retried", "", message)

    def say(self, kind: str, asked: str, message: str) -> None:
        """Tell it, unless it was told within the last minute."""
        if kind == "waiting":
            self.last_wait = message
        now = time.monotonic()
        if now - self._said.get(message, -_QUIET_S) < _QUIET_S:
            return
        self._said[message] = now
        self._notify(
            Notice(
                kind="waiting" if kind == "waiting" else "retried",
                port="training_client",
                adapter="tinker",
                asked=asked,
                message=message,
            )
        )
