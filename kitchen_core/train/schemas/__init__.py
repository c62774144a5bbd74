"""Dataset schemas: how rows of other people's data become conversations."""

from kitchen_core.train.schemas.messages import RowError, conversations_from_rows

__all__ = ["RowError", "conversations_from_rows"]
