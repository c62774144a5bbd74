"""Keys: from `secrets.env` in the home, then from the process's own environment.

They are never stored or logged.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.home import Home
from kitchen_core.telemetry.redaction import RedactedStream, Redactor, is_secret_name

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_QUOTED = re.compile(r"""(["'])(?P<value>.*?)\1(?:\s+\#.*)?""")
_COMMENT = re.compile(r"(?:^|\s+)\#.*")


class UnsafeSecrets(PermissionError):  # noqa: N818 - named by the condition
    """Others can read the secrets file."""


class UnreadableSecrets(ValueError):  # noqa: N818 - named by the condition
    """The secrets file can't be read, or a line of it says nothing; which one, never what."""


def read_secrets(home: Home) -> dict[str, str]:
    """`{name: value}`. Raises UnsafeSecrets unless the file is the user's alone, and
    UnreadableSecrets.
    """
    path = home.secrets
    if path.is_file() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnsafeSecrets(f"others can read {path}; make it yours alone: chmod 600 {path}")
    return dict(os.environ) | dict(_pairs(path, strict=True))


def redactor(home: Home) -> Redactor:
    """Knows everything in `secrets.env`, and of the environment what adapters ask for and what is a key by
    its name. Reads the file again when it has changed, and also one that others can read.
    """
    try:
        found = home.secrets.stat()
        return _redactor(home, found.st_mtime_ns, found.st_size)
    except OSError:
        return _redactor(home, 0, 0)


def print_without_keys(home: Home) -> None:
    """What this process prints from here on, logs and tracebacks too, has no keys in it."""

    redactor(home)  # finding the adapters may print

    def redact(text: str) -> str:
        return redactor(home).text(text)

    sys.stdout = RedactedStream(sys.stdout, redact)
    sys.stderr = RedactedStream(sys.stderr, redact)


@lru_cache(maxsize=4)
def _redactor(home: Home, changed_ns: int, size: int) -> Redactor:
    del changed_ns, size  # another file is another answer
    asked_for = {
        name
        for adapter in find_adapters().by_name.values()
        for name in (*adapter.secrets, *adapter.optional_secrets)
    }
    of_environment = {
        name: value
        for name, value in os.environ.items()
        if name in asked_for or is_secret_name(name)
    }
    return Redactor(of_environment | dict(_pairs(home.secrets, strict=False)))


def _pairs(path: Path, *, strict: bool) -> Iterator[tuple[str, str]]:
    """The file's names and values. strict: raise UnreadableSecrets where others make a guess."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace") if path.is_file() else ""
    except OSError as error:
        if strict:
            raise UnreadableSecrets(f"{path} can't be read: {error.strerror}") from None
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        value = _value(found[2]) if found else None
        if found is not None and value is not None:
            yield found[1], value
        elif strict:
            raise UnreadableSecrets(
                f"{path}, line {number}: expected NAME=value, with two quotes or none"
            )
        else:
            yield path.name, line.partition("=")[2].strip("\"' \t\r")


def _value(said: str) -> str | None:
    """What stands behind the `=`; None where a quote is not closed, or something follows it."""
    if said[:1] in ("'", '"'):
        quoted = _QUOTED.fullmatch(said)
        return quoted["value"] if quoted else None
    return _COMMENT.sub("", said)
