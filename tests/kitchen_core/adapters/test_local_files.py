"""Every format gives the same rows, and every mistake names its line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from kitchen_core.adapters.local_files.reader import LocalFiles
from kitchen_core.train.ports.errors import InvalidRequest

ROWS = [{"question": "2 + 2?", "answer": "4"}, {"question": 'say "a, b"', "answer": "naïve\n✓"}]


def write_jsonl(path: Path) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


def write_json(path: Path) -> None:
    path.write_text(json.dumps(ROWS), encoding="utf-8")


def write_wrapped_json(path: Path) -> None:
    path.write_text(json.dumps({"data": ROWS, "version": 1}), encoding="utf-8-sig")


def write_csv(path: Path) -> None:
    path.write_text('question,answer\n2 + 2?,4\n"say ""a, b""","naïve\n✓"\n', encoding="utf-8")


def write_parquet(path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS), path)


def write_arrow_file(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def write_arrow_stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.jsonl", write_jsonl),
        ("rows.json", write_json),
        ("wrapped.json", write_wrapped_json),
        ("rows.csv", write_csv),
        ("rows.PARQUET", write_parquet),
        ("file.arrow", write_arrow_file),
        ("stream.arrow", write_arrow_stream),
    ],
)
async def test_every_format_gives_the_same_rows(tmp_path, name, write):
    write(tmp_path / name)
    assert await LocalFiles().read(tmp_path / name) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n\n{"a": }\n', "a.jsonl:3: no valid JSON"),
        ("a.jsonl", b'{"a": 1}\n[1, 2]\n', "a.jsonl:2: a row is an object, this is a list"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "a.jsonl:2: not UTF-8"),
        ("a.jsonl", b"", "a.jsonl: the file is empty"),
        ("a.jsonl", b"\n\n", "a.jsonl: the file has no rows"),
        ("a.json", b'[\n {"a": 1},\n {"a": 2\n]', "a.json:4: no valid JSON"),
        ("a.json", b'[{"a": 1}, "b"]', "a.json:2: a row is an object, this is a str"),
        ("a.json", b'{"rows": []}', "a.json: neither a list of objects"),
        ("a.csv", b"q,a\n1,2\n1,2,3\n", "a.csv:3: 3 values, the header names 2 columns"),
        ("a.csv", b'q,a\n1,"2\n', "a.csv:2: unexpected end of data"),
        ("a.parquet", b"PAR1 not really", "a.parquet: no valid Parquet file"),
        ("a.arrow", b"not arrow at all", "a.arrow: no valid Arrow file"),
        ("a.xlsx", b"x", "a.xlsx: unknown kind of file '.xlsx'"),
    ],
)
async def test_a_mistake_is_named_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest) as refused:
        await LocalFiles().read(tmp_path / name)
    assert f"{tmp_path}/{message}" in str(refused.value)
    assert refused.value.hint


async def test_an_unknown_kind_names_the_known_ones(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InvalidRequest) as refused:
        await LocalFiles().read(tmp_path / "a.txt")
    assert refused.value.hint == "Use one of .jsonl, .json, .csv, .parquet, .arrow."
