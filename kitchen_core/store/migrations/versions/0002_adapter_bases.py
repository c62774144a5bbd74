"""The bases of adapters that no run of this home has made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADDITIVE = True
"""Whether workers of the version before can go on writing."""


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "adapter_base",
        sa.Column("adapter_sha256", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("adapter_sha256"),
    )
