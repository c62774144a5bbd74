"""Rows from text files: jsonl, json and csv, in UTF-8."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from kitchen_core.adapters.local_files.failures import invalid
from kitchen_core.train.types import Row


def read_jsonl(path: Path) -> list[Row]:
    """A JSON object a line; blank lines are skipped."""
    rows: list[Row] = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            rows.append(_object(_parsed(line, path, number), path, number))
    return rows


def read_json(path: Path) -> list[Row]:
    """A list of objects, or an object that holds that list under `data`."""
    value = _parsed(_text(path), path, 1)
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, list):
        raise invalid(
            f"{path}: neither a list of objects nor an object with a list under data",
            "Write [{...}, ...], or one object a line into a .jsonl file.",
        )
    return [_object(row, path, number) for number, row in enumerate(value, start=1)]


def read_csv(path: Path) -> list[Row]:
    """A header line, then a row each. Every value is text: a dataset's `007` stays `007`."""
    reader = csv.reader(_text(path).splitlines(keepends=True), strict=True)
    rows: list[Row] = []
    try:
        names = next(reader)
        for values in reader:
            if values:
                _check_width(values, names, path, reader.line_num)
                rows.append(dict(zip(names, values, strict=True)))
    except csv.Error as error:
        raise invalid(
            f"{path}:{reader.line_num}: {error}", 'Put text that holds "," or quotes in quotes.'
        ) from error
    return rows


def _check_width(values: list[str], names: list[str], path: Path, line: int) -> None:
    if len(values) != len(names):
        raise invalid(
            f"{path}:{line}: {len(values)} values, the header names {len(names)} columns",
            'Put text that holds "," in quotes.',
        )


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise invalid(f"{path}:{line}: not UTF-8", "Save the file as UTF-8.") from error


def _parsed(text: str, path: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise invalid(
            f"{path}:{line}: no valid JSON: {error.msg} (column {error.colno})", "Mend the line."
        ) from error


def _object(value: Any, path: Path, number: int) -> Row:
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise invalid(f"{path}:{number}: a row is an object, this is a {kind}", "Write {...}.")
    return value
