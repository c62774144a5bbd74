"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

ADDITIVE = False
"""Whether workers of the version before can go on writing: True only for new tables and nullable columns."""


def upgrade() -> None:
    """Change the tables."""
    ${upgrades if upgrades else "pass"}
