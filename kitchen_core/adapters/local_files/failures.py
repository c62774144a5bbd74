"""The reader's one way of refusing."""

from __future__ import annotations

from kitchen_core.train.ports.errors import InvalidRequest


def invalid(message: str, hint: str) -> InvalidRequest:
    """A file that can't be read as it is; the message begins with `path:` or `path:LINE:`."""
    return InvalidRequest(message, port="dataset_reader", adapter="local_files", hint=hint)
