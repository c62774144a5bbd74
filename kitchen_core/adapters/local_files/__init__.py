"""Dataset files on this machine: jsonl, json, csv, parquet and arrow."""

from __future__ import annotations

from kitchen_core.adapters.local_files.reader import LocalFiles
from kitchen_core.train.ports.adapter import Adapter

adapter = Adapter(
    name="local_files",
    summary="Read dataset files on this machine",
    ports={"dataset_reader": LocalFiles},
)
