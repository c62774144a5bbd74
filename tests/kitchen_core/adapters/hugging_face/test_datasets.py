"""The dataset hub adapter over real HTTP, and what it reads from the files that it fetched."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.datasets import HuggingFaceDatasets
from kitchen_core.train.hashing import canonical_json
from kitchen_core.train.ports.errors import GatedError, InvalidRequest, NotFound, Unavailable
from tests.doubles.hub import GOOD_TOKEN, HubDouble, Repo, serve
from tests.rows import chat, write_jsonl

CHAT = [
    chat("a", "b"),
    {"messages": [{"role": "user", "content": "c", "name": "n"}]},
]
CARD = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train-*}
  - {split: test_sft, path: data/test_sft-*}
- config_name: huge
  data_files: huge/*
---
"""


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder for what the hub has."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def double(served: Path) -> Iterator[HubDouble]:
    repos = {"org/open": Repo(served), "org/gated": Repo(served, gated=True)}
    with serve(HubDouble(datasets=repos)) as hub:
        yield hub


@pytest.fixture
def connect(double: HubDouble, tmp_path: Path):
    """A client of the double with a token, all with one folder of datasets."""

    def connect_with(token: str | None = None) -> HuggingFaceDatasets:
        return HuggingFaceDatasets(Access(double.endpoint, token, "MY_TOKEN"), tmp_path / "kept")

    return connect_with


async def test_splits_are_found_by_the_names_of_the_files(connect, served):
    write_jsonl(served / "train.jsonl", CHAT)
    write_jsonl(served / "validation.jsonl", CHAT[:1])
    data = await connect().fetch_dataset("org/open")
    assert {name: list(rows) for name, rows in data.splits.items()} == {
        "train": CHAT,
        "validation": CHAT[:1],
    }


async def test_the_card_says_which_files_make_a_split_and_only_those_are_fetched(
    connect, served, tmp_path, double
):
    (served / "README.md").write_text(CARD)
    parquet_file(served / "data" / "train-0.parquet", CHAT[:1])
    parquet_file(served / "data" / "train-1.parquet", CHAT[:1])
    parquet_file(served / "data" / "test_sft-0.parquet", CHAT[:1])
    write_jsonl(served / "huge" / "part-0.jsonl", CHAT)
    data = await connect().fetch_dataset("org/open")
    assert list(data.splits["train"]) == CHAT[:1] * 2
    assert list(data.splits["test_sft"]) == CHAT[:1]
    assert not list((tmp_path / "kept").rglob("huge"))
    assert not any("huge" in asked for asked in double.requests)


def parquet_file(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)


async def test_a_commit_that_is_here_needs_no_network(connect, served, double):
    write_jsonl(served / "train.jsonl", CHAT)
    first = await connect().fetch_dataset("org/open")
    asked = len(double.requests)
    again = await connect().fetch_dataset("org/open", first.commit)
    assert list(again.splits["train"]) == CHAT
    assert len(double.requests) == asked


async def test_the_same_rows_come_from_every_format(connect, served, tmp_path):
    rows = [{"text": "é", "n": 1}, {"text": "b", "n": 2}]
    write_jsonl(served / "train.jsonl", rows)
    parquet_file(served / "test.parquet", rows)
    (served / "README.md").write_text(
        "---\nconfigs:\n- {config_name: j, data_files: train.jsonl}\n"
        "- {config_name: p, data_files: test.parquet}\n---\n"
    )
    for subset in ("j", "p"):
        data = await connect().fetch_dataset("org/open", subset=subset)
        assert list(data.splits["train"]) == rows


async def test_what_json_has_no_word_for_becomes_text(connect, served):
    when = datetime.datetime(2026, 11, 24, 8, 30)
    parquet_file(served / "train.parquet", [{"at": when, "raw": b"\x00\x01", "n": None}])
    data = await connect().fetch_dataset("org/open")
    (row,) = data.splits["train"]
    assert row == {"at": "2026-11-24 08:30:00", "raw": "AAE=", "n": None}
    assert canonical_json(row)


async def test_pictures_stay_the_bytes_that_they_are(connect, served):
    table = pa.table({"picture": [{"bytes": b"no picture", "path": "a.png"}]})
    features = {"info": {"features": {"picture": {"_type": "Image"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet.write_table(table, served / "train.parquet")
    data = await connect().fetch_dataset("org/open")
    (row,) = data.splits["train"]
    assert row == {"picture": {"bytes": base64.b64encode(b"no picture").decode(), "path": "a.png"}}


async def test_a_dataset_with_code_of_its_own_is_refused_before_anything_is_fetched(
    connect, served, double
):
    write_jsonl(served / "train.jsonl", CHAT)
    (served / "open.py").write_text("raise SystemExit")
    with pytest.raises(InvalidRequest, match=r"needs its own code \(open\.py\)") as refused:
        await connect().fetch_dataset("org/open")
    assert "refs/convert/parquet" in refused.value.hint
    assert not any("resolve" in asked for asked in double.requests)


async def test_a_repository_without_data_says_so(connect, served):
    (served / "notes.md").write_text("nothing here")
    with pytest.raises(NotFound, match="org/open has no data files"):
        await connect().fetch_dataset("org/open")


async def test_the_client_itself_asks_once(connect, served, double):
    write_jsonl(served / "train.jsonl", CHAT)
    double.down = "/tree/"
    with pytest.raises(Unavailable, match="the hub answers 503"):
        await connect().fetch_dataset("org/open")
    assert sum("/tree/" in asked for asked in double.requests) == 1


async def test_a_damaged_file_is_named_with_its_row(connect, served):
    (served / "train.jsonl").write_text('{"a": 1}\nnot json\n')
    data = await connect().fetch_dataset("org/open")
    with pytest.raises(InvalidRequest, match="org/open train row 1: can't be read"):
        list(data.splits["train"])


async def test_a_gated_dataset_stays_gated_when_it_is_already_here(connect, served):
    write_jsonl(served / "train.jsonl", CHAT)
    await connect(GOOD_TOKEN).fetch_dataset("org/gated")
    with pytest.raises(GatedError) as refused:
        await connect().fetch_dataset("org/gated")
    assert "MY_TOKEN" in refused.value.hint
