"""Keys don't belong into a manifest: it is kept with every run, shown and shared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_SECRET = re.compile(
    r"(key|secret|token|password|passwd|passphrase|credentials?|connection_string|sas)$", re.I
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)


def secret_in(options: Mapping[str, Any]) -> str | None:
    """The dotted name of the first option that looks like a key, or whose address holds a password;
    None where there is none. Names of files and of environment variables are no keys.
    """
    for name, value in options.items():
        if isinstance(value, Mapping):
            inner = secret_in(value)
            if inner:
                return f"{name}.{inner}"
        elif _SECRET.search(name) or _holds_password(value):
            return name
    return None


def _holds_password(value: Any) -> bool:
    return (
        isinstance(value, str) and bool(_URL.match(value)) and urlsplit(value).password is not None
    )
