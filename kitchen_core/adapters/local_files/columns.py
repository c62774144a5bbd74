"""Rows from column files through pyarrow, which is imported when the first one is read."""

from __future__ import annotations

from pathlib import Path

from kitchen_core.adapters.local_files.failures import invalid
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Row


def read_parquet(path: Path) -> list[Row]:
    """A Parquet file's rows."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path).read().to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, "Parquet", error) from error


def read_arrow(path: Path) -> list[Row]:
    """The rows of an Arrow file, or of a stream as the datasets library writes it."""
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(path)) as source:
        try:
            return ipc.open_file(source).read_all().to_pylist()
        except pa.ArrowInvalid:
            source.seek(0)
        try:
            return ipc.open_stream(source).read_all().to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(path, "Arrow", error) from error


def _damaged(path: Path, kind: str, error: Exception) -> InvalidRequest:
    return invalid(f"{path}: no valid {kind} file: {error}", "Fetch or write the file again.")
