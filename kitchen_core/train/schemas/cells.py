"""Values of a row that know where they stand, so that whatever does not fit can be named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_SHOWN = 60


class RowError(ValueError):
    """A row that does not fit. One line: the file and row, the field, what was found, what was
    expected.
    """

    def __init__(self, where: str, field: str, problem: str) -> None:
        message = f"{where}: field '{field}': {problem}" if field else f"{where}: {problem}"
        super().__init__(" ".join(message.splitlines()))


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in a row. where: file and row. field: column and path, as in `messages[2].content`.

    What a row leaves out and what it has as null are the same: no value.
    """

    value: Any
    where: str
    field: str

    @property
    def given(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def refused(self, problem: str) -> RowError:
        """The error that says what is wrong here."""
        return RowError(self.where, self.field, problem)

    def unlike(self, expected: str) -> RowError:
        """The error that says what was expected here."""
        return self.refused(f"expected {expected}, found {shown(self.value)}")

    def empty(self) -> RowError:
        """The error that says that there is nothing here but white space, if that."""
        return self.refused("is empty, expected text")

    def text(self) -> str:
        """The value as text; it may be empty. Raises RowError."""
        if not isinstance(self.value, str):
            raise self.unlike("text")
        return self.value

    def filled_text(self) -> str:
        """The value as text with more than white space in it. Raises RowError."""
        text = self.text()
        if not text.strip():
            raise self.empty()
        return text

    def written(self) -> Cell:
        """The cell with a whole number as the text that a csv would have in its place."""
        is_whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        return Cell(str(self.value), self.where, self.field) if is_whole else self

    def items(self, expected: str) -> list[Cell]:
        """The cells of a list, or of the JSON text of one. Raises RowError."""
        value = self._parsed("[")
        if not isinstance(value, list | tuple):
            raise self.unlike(expected)
        return [Cell(each, self.where, f"{self.field}[{i}]") for i, each in enumerate(value)]

    def object(self, expected: str) -> Cell:
        """The cell of an object, or of the JSON text of one. Raises RowError."""
        value = self._parsed("{")
        if not isinstance(value, dict):
            raise self.unlike(expected)
        return Cell(value, self.where, self.field)

    def get(self, key: str) -> Cell:
        """What an object has under a key."""
        return Cell(self.value.get(key), self.where, f"{self.field}.{key}")

    def _parsed(self, opening: str) -> Any:
        if not (isinstance(self.value, str) and self.value.lstrip().startswith(opening)):
            return self.value
        try:
            return json.loads(self.value)
        except (ValueError, RecursionError):
            raise self.unlike("valid JSON") from None


def shown(value: Any) -> str:
    """A value as an error message shows it: one line, not too long."""
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
