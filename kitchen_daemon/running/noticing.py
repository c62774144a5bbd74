"""What adapters have to say, as events of the run that they work for."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import asdict

from kitchen_core.telemetry.emitter import Telemetry
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.ports.notices import Notice, Notify

logger = logging.getLogger(__name__)


def noticed_by(telemetry: Telemetry) -> Notify:
    """Takes notices from any thread and appends them on the running event loop, whose the telemetry is."""
    loop = asyncio.get_running_loop()

    def append(notice: Notice) -> None:
        logger.warning("%s", notice)
        said = {key: value for key, value in asdict(notice).items() if value is not None}
        telemetry.event(EventKind(f"port.{said.pop('kind')}"), **said)

    def notify(notice: Notice) -> None:
        with suppress(RuntimeError):  # the run has ended, and its loop with it
            loop.call_soon_threadsafe(append, notice)

    return notify
