"""The clocks on the wall are Berlin's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import tzlocal


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        _look_at_the_clocks()
        yield
    _look_at_the_clocks()


def _look_at_the_clocks() -> None:
    time.tzset()
    tzlocal.reload_localzone()
