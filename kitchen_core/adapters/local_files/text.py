"""Rows from text files: jsonl, json and csv, in UTF-8, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from kitchen_core.adapters.local_files.failures import invalid
from kitchen_core.train.types import Row

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_CSV_VALUE = 1 << 26  # csv's own limit of 128 KiB is less than a long document


def read_jsonl(path: Path) -> Iterator[Row]:
    """A JSON object a line; blank lines are skipped."""
    for number, line in _lines(path):
        if line.strip():
            row = _parsed(line.rstrip("\r\n"), path, number)
            if not isinstance(row, dict):
                raise _no_object(row, f"{path}:{number}")
            yield row


def read_json(path: Path) -> Iterator[Row] | list[Row]:
    """A list of objects, or an object that holds that list under `data`; it is read whole. Files
    of this name that hold an object a line are read as those, a line at a time.
    """
    if _holds_lines(path):
        return read_jsonl(path)
    value = _parsed("".join(line for _, line in _lines(path)), path, 1)
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, list):
        raise invalid(
            f"{path}: neither a list of objects nor an object with a list under data",
            "Write [{...}, ...], or one object a line.",
        )
    for number, row in enumerate(value, start=1):
        if not isinstance(row, dict):
            raise _no_object(row, f"{path}: row {number}")
    return value


def read_csv(path: Path) -> Iterator[Row]:
    """A header line, then a row each. Every value is text: a dataset's `007` stays `007`."""
    csv.field_size_limit(_LONGEST_CSV_VALUE)
    reader = csv.reader((line for _, line in _lines(path)), strict=True)
    try:
        names = next(reader, [])
        _check_header(names, path)
        for values in reader:
            if values:
                _check_width(values, names, path, reader.line_num)
                yield dict(zip(names, values, strict=True))
    except csv.Error as error:
        raise invalid(
            f"{path}:{reader.line_num}: {error}", 'Put text that holds "," or quotes in quotes.'
        ) from error


def _check_header(names: list[str], path: Path) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise invalid(f"{path}:1: the header names {twice!r} twice", "Name each column once.")


def _check_width(values: list[str], names: list[str], path: Path, line: int) -> None:
    if len(values) != len(names):
        raise invalid(
            f"{path}:{line}: {len(values)} values, the header names {len(names)} columns",
            'Put text that holds "," in quotes.',
        )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The file's lines with their numbers, ends kept."""
    number = 0
    try:
        with _opened(path) as file:
            for number, raw in enumerate(file, start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise invalid(f"{path}:{number}: not UTF-8", "Save the file as UTF-8.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise invalid(
            f"{path}: damaged after line {number}: {error}", "Fetch or write the file again."
        ) from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path))
    return path.open("rb")


def _holds_lines(path: Path) -> bool:
    """Whether the first line is an object by itself and more follow."""
    filled = (line for _, line in _lines(path) if line.strip())
    first = next(filled, "")
    if not first.lstrip().startswith("{") or next(filled, None) is None:
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(text: str, path: Path, first_line: int) -> Any:
    try:
        value = json.loads(text)
        if _SURROGATE_ESCAPE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise invalid(
            f"{path}:{line}: no valid JSON: {error.msg} (column {error.colno})", "Mend the line."
        ) from error
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise invalid(
            f"{path}:{first_line}: half a character: {half} stands alone",
            "Write both halves of the pair, or take it out.",
        ) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, lists in lists in ...
        raise invalid(f"{path}:{first_line}: no usable JSON: {error}", "Mend the line.") from error
    return value


def _no_object(value: Any, place: str) -> Exception:
    kind = type(value).__name__
    return invalid(f"{place}: a row is an object, this is a {kind}", "Write {...}.")
