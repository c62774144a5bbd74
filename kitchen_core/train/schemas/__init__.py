"""Dataset schemas: how rows of other people's data become conversations and documents."""

from kitchen_core.train.schemas.cells import RowError
from kitchen_core.train.schemas.recognition import Schema, examples_from_rows, recognise

__all__ = ["RowError", "Schema", "examples_from_rows", "recognise"]
