"""Rows from column files through pyarrow, which is imported when the first one is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen_core.adapters.local_files.failures import invalid
from kitchen_core.adapters.plain import plain_row
from kitchen_core.train.types import Row

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 256
_BUFFER_BYTES = 1 << 20


def read_parquet(path: Path) -> Iterator[Row]:
    """A Parquet file's rows, a part of a row group at a time: neither a file of many groups nor one
    of a single large group is held whole.
    """
    from pyarrow import parquet

    with (
        _damage_named(path, "Parquet"),
        parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file,
    ):
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=[group]):
                yield from _rows(batch)


def read_arrow(path: Path) -> Iterator[Row]:
    """The rows of an Arrow file, or of a stream as the datasets library writes it, a record batch
    at a time.
    """
    import pyarrow as pa

    with _damage_named(path, "Arrow"), pa.OSFile(str(path)) as source:
        for batch in _record_batches(source):
            yield from _rows(batch)


def _record_batches(source: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import ipc

    try:
        file = ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        yield from ipc.open_stream(source)
    else:
        for number in range(file.num_record_batches):
            yield file.get_batch(number)


def _rows(batch: pa.RecordBatch) -> Iterator[Row]:
    for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
        for row in batch.slice(start, _ROWS_AT_ONCE).to_pylist():
            yield plain_row(row)


@contextmanager
def _damage_named(path: Path, kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        why = (str(error).splitlines() or ["unreadable"])[0]
        raise invalid(
            f"{path}: no valid {kind} file: {why}", "Fetch or write the file again."
        ) from error
