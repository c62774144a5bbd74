"""Every format gives the same rows, and every mistake names its line."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from kitchen_core.adapters.local_files.reader import LocalFiles, open_rows
from kitchen_core.train.ports.errors import InvalidRequest

ROWS = [{"question": "2 + 2?", "answer": "4"}, {"question": 'say "a, b"', "answer": "naïve\n✓"}]


def write_jsonl_with_blank_lines(path: Path) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


def write_json(path: Path) -> None:
    path.write_text(json.dumps(ROWS), encoding="utf-8")


def write_wrapped_json(path: Path) -> None:
    path.write_text(json.dumps({"data": ROWS, "version": 1}), encoding="utf-8-sig")


def write_csv(path: Path) -> None:
    path.write_text('question,answer\n2 + 2?,4\n"say ""a, b""","naïve\n✓"\n', encoding="utf-8")


def write_lines_named_json(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


def write_gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in ROWS).encode()))


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
        ("rows.jsonl", write_jsonl_with_blank_lines),
        ("rows.json", write_json),
        ("wrapped.json", write_wrapped_json),
        ("lines.json", write_lines_named_json),
        ("rows.jsonl.gz", write_gzipped),
        ("rows.csv", write_csv),
        ("rows.PARQUET", write_parquet),
        ("file.arrow", write_arrow_file),
        ("stream.arrow", write_arrow_stream),
    ],
)
async def test_every_format_gives_the_same_rows(tmp_path, name, write):
    write(tmp_path / name)
    assert list(await LocalFiles().read(tmp_path / name)) == ROWS


def gzipped_and_cut_short() -> bytes:
    return gzip.compress(b'{"a": 1}\n' * 100_000)[:-200]


BAD = [
    ("a.jsonl", b'{"a": 1}\n\n{"a": }\n', "a.jsonl:3: no valid JSON: Expecting value (column 7)"),
    ("a.jsonl", b'{"a": 1}\n[1, 2]\n', "a.jsonl:2: a row is an object, this is a list"),
    ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "a.jsonl:2: not UTF-8"),
    ("a.jsonl", '{"a": 1}\n'.encode("utf-16"), "a.jsonl:1: not UTF-8"),
    (
        "a.jsonl",
        b'{"a": "\\ud83d\\ude00"}\n{"a": "\\ud83d!"}',
        "a.jsonl:2: half a character: \\ud83d stands alone",
    ),
    ("a.jsonl", b'{"a": ' + b"1" * 5000 + b"}", "a.jsonl:1: no usable JSON: Exceeds the limit"),
    ("a.jsonl", b"[" * 100_000, "a.jsonl:1: no usable JSON: "),
    ("a.jsonl", b"", "a.jsonl: the file is empty"),
    ("a.jsonl", b"\n\n", "a.jsonl: the file has no rows"),
    ("a.json", b'[\n {"a": 1},\n {"a": 2\n]', "a.json:4: no valid JSON"),
    ("a.json", b'[{"a": 1}, "b"]', "a.json: row 2: a row is an object, this is a str"),
    ("a.json", b'{"rows": []}', "a.json: neither a list of objects"),
    ("a.json", b"[]", "a.json: the file has no rows"),
    ("a.csv", b"q,a\n1,2\n1,2,3\n", "a.csv:3: 3 values, the header names 2 columns"),
    ("a.csv", b'q,a\n1,"2\n', "a.csv:2: unexpected end of data"),
    ("a.csv", b"q,q\n1,2\n", "a.csv:1: the header names 'q' twice"),
    ("a.csv", b"q,a\n", "a.csv: the file has no rows"),
    ("a.csv", b"q,a\n1,\xe9\n", "a.csv:2: not UTF-8"),
    ("a.parquet", b"PAR1 not really", "a.parquet: no valid Parquet file"),
    ("a.arrow", b"not arrow at all", "a.arrow: no valid Arrow file"),
    ("a.jsonl.gz", gzipped_and_cut_short(), "a.jsonl.gz: damaged after line "),
    ("a.jsonl.gz", b'{"a": 1}', "a.jsonl.gz: damaged after line 0: Not a gzipped file"),
    ("a.xlsx", b"x", "a.xlsx: unknown kind of file '.xlsx'"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=[case[2][:50] for case in BAD])
async def test_a_mistake_is_named_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest) as refused:
        list(await LocalFiles().read(tmp_path / name))
    assert f"{tmp_path}/{message}" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert refused.value.hint


async def test_an_unknown_kind_names_the_known_ones(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InvalidRequest) as refused:
        await LocalFiles().read(tmp_path / "a.txt")
    assert refused.value.hint.startswith("Use one of .jsonl, .json, .csv, .parquet, .arrow,")


async def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(InvalidRequest, match="this is a folder"):
        await LocalFiles().read(tmp_path)


async def test_the_rows_before_a_mistake_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 2}\nno\n')
    rows = iter(await LocalFiles().read(tmp_path / "a.jsonl"))
    assert [next(rows), next(rows)] == [{"a": 1}, {"a": 2}]
    with pytest.raises(InvalidRequest, match=r"a\.jsonl:3"):
        next(rows)


async def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    rows = await LocalFiles().read(path)
    under_way = iter(rows)
    next(under_way)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InvalidRequest, match="changed while it was being read"):
        list(under_way)
    with pytest.raises(InvalidRequest, match="changed while it was being read"):
        next(iter(rows))


async def test_a_line_separator_within_text_ends_no_line(tmp_path):
    # U+2028 and form feeds are ends of lines to str.splitlines, and to neither JSON nor CSV.
    (tmp_path / "a.jsonl").write_text('{"a": "x\u2028y"}\n', encoding="utf-8")
    (tmp_path / "a.csv").write_text("a\nx\u2028y\fz\n", encoding="utf-8")
    assert list(await LocalFiles().read(tmp_path / "a.jsonl")) == [{"a": "x\u2028y"}]
    assert list(await LocalFiles().read(tmp_path / "a.csv")) == [{"a": "x\u2028y\fz"}]


async def test_a_csv_value_may_be_longer_than_the_csv_module_allows(tmp_path):
    (tmp_path / "a.csv").write_text("a\n" + "x" * 200_000 + "\n")
    assert list(await LocalFiles().read(tmp_path / "a.csv")) == [{"a": "x" * 200_000}]


RAGGED = [
    {"messages": [{"role": "user", "content": "hi"}], "source": None},
    {
        "messages": [
            {"role": "assistant", "tool_calls": [{"name": "sky", "arguments": {"city": "Ulm"}}]},
            {"role": "assistant", "tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]},
        ],
        "source": "x",
    },
]


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
async def test_columns_give_the_rows_that_json_lines_give(tmp_path, ending):
    # Arrow fills the keys that an object lacks with nulls; arguments would end up as those of
    # every other function.
    path = tmp_path / f"a.{ending}"
    table = pa.Table.from_pylist(RAGGED)
    if ending == "parquet":
        parquet.write_table(table, path)
    else:
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    assert list(await LocalFiles().read(path)) == RAGGED


async def test_what_json_has_not_comes_as_text(tmp_path):
    at = datetime(2026, 11, 5, 12, 30, tzinfo=UTC)
    table = pa.table({"at": pa.array([at], pa.timestamp("us", "UTC")), "image": [b"\x00\xff"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    (row,) = await LocalFiles().read(tmp_path / "a.parquet")
    assert row == {"at": "2026-11-05 12:30:00+00:00", "image": "AP8="}


async def test_rows_of_many_groups_and_batches_come_in_order(tmp_path):
    rows = [{"n": n} for n in range(2000)]
    table = pa.Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    with ipc.new_stream(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    assert list(await LocalFiles().read(tmp_path / "a.parquet")) == rows
    assert list(await LocalFiles().read(tmp_path / "a.arrow")) == rows


def test_what_can_only_be_read_whole_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"a": 1}, {"a": 2}]))
    parsed = []
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda given: (parsed.append(given), real(given))[1])
    rows = open_rows(path)
    assert list(rows) == list(rows) == [{"a": 1}, {"a": 2}]
    assert len(parsed) == 1


def test_what_was_kept_is_not_given_when_the_file_has_changed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"a": 1}]))
    rows = open_rows(path)
    path.write_text(json.dumps([{"a": 1}, {"a": 2}]))
    with pytest.raises(InvalidRequest, match="was changed"):
        list(rows)


_GROWTH = """
import sys, threading
from pathlib import Path
import psutil
from kitchen_core.adapters.local_files.reader import open_rows
from kitchen_core.train.hashing import sha256_of_rows
from kitchen_core.train.schemas import EXAMPLES, rows_as

small, large = Path(sys.argv[1]), Path(sys.argv[2])
memory, peak, done = psutil.Process().memory_info, 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, memory().rss)

def go_through(path):
    rows = open_rows(path)
    sha256_of_rows(rows)
    return sum(1 for _ in rows_as(EXAMPLES, rows, path.name))

go_through(small)
before = memory().rss
watcher = threading.Thread(target=watch)
watcher.start()
count = go_through(large)
done.set()
watcher.join()
print(count, peak - before)
"""


def _write_large(folder: Path, ending: str, rows: int) -> Path:
    """A file of chats of some 10 kB each."""
    path = folder / f"{rows}.{ending}"
    said = "A sentence that says little and goes on. " * 120
    chat = [{"role": "user", "content": said}, {"role": "assistant", "content": said}]
    if ending == "jsonl":
        with path.open("w") as file:
            for n in range(rows):
                file.write(json.dumps({"id": n, "messages": chat}) + "\n")
        return path
    part = pa.Table.from_pylist([{"id": n, "messages": chat} for n in range(100)])
    with parquet.ParquetWriter(path, part.schema, compression="none", use_dictionary=False) as file:
        for _ in range(rows // 100):
            file.write_table(part)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_large_file_is_read_in_little_memory(tmp_path, ending):
    small, large = (_write_large(tmp_path, ending, rows) for rows in (100, 20_000))
    assert large.stat().st_size > 190e6
    command = [sys.executable, "-c", _GROWTH, str(small), str(large)]
    count, growth = subprocess.check_output(command, text=True).split()
    assert int(count) == 20_000
    assert int(growth) < 30e6
