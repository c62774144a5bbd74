"""Dataset schemas: how rows of other people's data become conversations, comparisons and documents."""

from kitchen_core.train.schemas.cells import RowError
from kitchen_core.train.schemas.recognition import (
    Reading,
    Schema,
    examples_from_rows,
    recognise,
    rows_as,
)

__all__ = ["Reading", "RowError", "Schema", "examples_from_rows", "recognise", "rows_as"]
