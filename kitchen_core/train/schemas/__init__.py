"""Dataset schemas: how rows of other people's data become conversations, comparisons, prompts and
documents.
"""

from kitchen_core.train.schemas.cells import RowError
from kitchen_core.train.schemas.recognition import (
    COMPARISONS,
    EXAMPLES,
    PROMPTS,
    Reading,
    Schema,
    recognise,
    rows_as,
)

__all__ = [
    "COMPARISONS",
    "EXAMPLES",
    "PROMPTS",
    "Reading",
    "RowError",
    "Schema",
    "recognise",
    "rows_as",
]
