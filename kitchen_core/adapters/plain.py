"""Rows as JSON values, whatever a file format made of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kitchen_core.train.types import Row

_JSON_SCALARS = (str, int, float, bool, type(None))


def plain_row(row: Mapping[str, Any]) -> Row:
    """A row as JSON values: what JSON has no word for becomes text, bytes in base64."""
    return {column: _plain(value) for column, value in row.items()}


def _plain(value: Any) -> Any:
    """A value as the JSON that it was, or stands for. Below the row, Arrow gives every object the
    keys of all others, with null where there was nothing: those are left out again.
    """
    if isinstance(value, _JSON_SCALARS):
        return value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
