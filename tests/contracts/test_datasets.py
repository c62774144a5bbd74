"""What every dataset reader does. A reader in another package is held against it by fixtures of its own:
`reader`, which reads the file at `path`, and `rows`, which are the ones in it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kitchen_core.adapters.local_files import LocalFiles
from kitchen_core.adapters.memory.datasets import MemoryDatasets
from kitchen_core.train.ports.errors import InvalidRequest, NotFound
from kitchen_core.train.types import Row

ROWS = [{"question": "2 + 2?", "answer": "4", "n": 1}, {"question": "é?", "answer": "", "n": 2}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


@pytest.fixture
def rows() -> list[Row]:
    return ROWS


@pytest.fixture(params=["local_files", "memory"])
def reader(request: pytest.FixtureRequest, path: Path, tmp_path: Path):
    if request.param == "memory":
        return MemoryDatasets({path: ROWS, tmp_path / "empty.jsonl": []})
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n", encoding="utf-8")
    (tmp_path / "empty.jsonl").touch()
    return LocalFiles()


async def test_rows_come_in_order_and_as_they_are(reader, path, rows):
    assert list(await reader.read(path)) == rows


async def test_rows_can_be_gone_through_again_from_the_first(reader, path, rows):
    found = await reader.read(path)
    assert next(iter(found)) == rows[0]
    assert list(found) == rows
    assert list(found) == rows


async def test_rows_belong_to_who_read_them(reader, path, rows):
    found = await reader.read(path)
    next(iter(found))["question"] = "changed"
    assert list(found) == list(await reader.read(path)) == rows


async def test_a_file_that_is_not_there_is_named(reader, tmp_path):
    with pytest.raises(NotFound, match=r"nowhere\.jsonl") as refused:
        await reader.read(tmp_path / "nowhere.jsonl")
    assert refused.value.hint
    assert refused.value.port == "dataset_reader"


async def test_a_file_without_rows_is_refused(reader, tmp_path):
    with pytest.raises(InvalidRequest, match=r"empty\.jsonl") as refused:
        await reader.read(tmp_path / "empty.jsonl")
    assert refused.value.hint
