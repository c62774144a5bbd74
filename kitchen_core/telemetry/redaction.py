"""Keys taken out of what is written or said: in place of each stands its name."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Characters; a shorter value is no key, and its letters stand in many a word."""

_SECRET_NAME = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_ID|S)?$", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether an environment variable of this name holds a key."""
    return _SECRET_NAME.search(name) is not None


class Redactor:
    """Replaces every value of `secrets` by its name, as it is and as URLs, JSON and base64 spell it."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._names = {
            form: name
            for name, value in secrets.items()
            if len(value) >= SHORTEST
            for form in _forms(value)
        }
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if self._names else None

    def text(self, text: str) -> str:
        """The text without keys."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: f"[{self._names[found[0]]}]", text)

    def lines(self, lines: Iterable[str]) -> list[str]:
        """Each line without keys."""
        return [self.text(line) for line in lines]

    def value(self, value: Any) -> Any:
        """The same for JSON, names of fields included."""
        if self._pattern is None:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(name)): self.value(each) for name, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value

    def file(self, path: Path) -> None:
        """Take keys out of a file that nobody writes any more; one without any is left as it is."""
        if self._pattern is None or not path.is_file():
            return
        said = path.read_bytes().decode(errors="surrogateescape")
        redacted = self.text(said)
        if redacted != said:
            clean = path.with_name(f"{path.name}.tmp")
            clean.write_bytes(redacted.encode(errors="surrogateescape"))
            clean.replace(path)


NOTHING_SECRET = Redactor({})


class RedactedStream(io.TextIOWrapper):
    """A stream of text in place of another, onto the same file. redact: asked at every write."""

    def __init__(self, stream: TextIO, redact: Callable[[str], str]) -> None:
        super().__init__(
            stream.buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        self._below = stream  # whose end would close the file
        self._redact = redact

    def write(self, text: str) -> int:
        """Write the text without keys."""
        super().write(self._redact(text))
        return len(text)

    def close(self) -> None:
        """Write what is left; the file is the other stream's to close."""
        self.flush()


def _forms(value: str) -> set[str]:
    encoded = value.encode()
    base64s = {base64.b64encode(encoded), base64.urlsafe_b64encode(encoded)}
    return {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        *(each.decode().rstrip("=") for each in base64s),
    }
