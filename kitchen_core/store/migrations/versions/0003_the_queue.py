"""The queue: order, groups, what runs need and were given, quotes, windows, and firings that happen once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ADDITIVE = True
"""Whether workers of the version before can go on writing."""


def upgrade() -> None:
    """Add to runs, attempts and schedules what they lack, and create the tables."""
    _extend_runs()
    _add("attempt", "placement", sa.Text(), "{}")
    _extend_schedules()
    _create_quotes()
    op.create_table(
        "queue_group",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("most_running", sa.Integer(), nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "window",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hours", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("at_close", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _extend_runs() -> None:
    _add("run", "rank", sa.Float(), sa.text("0"))
    op.execute("UPDATE run SET rank = created_at")
    _add("run", "queue_group", sa.String(), "main")
    _add("run", "is_held", sa.Boolean(), sa.text("0"))
    _add("run", "after_any", sa.Text(), "[]")
    _add("run", "not_before", sa.Float())
    _add("run", "window", sa.String())
    _add("run", "preempts", sa.Boolean(), sa.text("0"))
    _add("run", "needs", sa.Text(), "{}")
    _add("run", "max_retries", sa.Integer(), sa.text("0"))
    _add("run", "retries", sa.Integer(), sa.text("0"))
    _add("run", "paused_for", sa.String())
    _add("run", "schedule_id", sa.String())
    _add("run", "scheduled_at", sa.Float())
    for column in ("name", "status"):  # lists of one or the other are by time
        op.drop_index(f"ix_run_{column}", "run")
        op.create_index(f"ix_run_{column}", "run", [column, "created_at"])
    op.create_index("ix_run_created_at", "run", ["created_at"])
    op.create_index("ix_run_recipe", "run", ["recipe", "created_at"])
    op.create_index(
        "ix_run_firing",
        "run",
        ["schedule_id", "scheduled_at"],
        unique=True,
        sqlite_where=sa.text("schedule_id IS NOT NULL"),
    )


def _extend_schedules() -> None:
    _add("schedule", "timezone", sa.String(), "UTC")
    _add("schedule", "missed", sa.String(), "once")
    _add("schedule", "quote", sa.Text())
    _add("schedule", "last_error", sa.String())


def _create_quotes() -> None:
    op.create_table(
        "quote",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("memory_bytes", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("seconds_a_step", sa.Float(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("energy_j", sa.Float(), nullable=True),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("formula", sa.Text(), nullable=False),
        sa.Column("peak_memory_bytes", sa.Integer(), nullable=True),
        sa.Column("busy_seconds", sa.Float(), nullable=True),
        sa.Column("measured_seconds_a_step", sa.Float(), nullable=True),
        sa.Column("used_energy_j", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("run_id"),
    )


def _add(table: str, name: str, kind: Any, default: Any = None) -> None:
    """A column; without a default it is null in the rows there are."""
    nullable = default is None
    op.add_column(table, sa.Column(name, kind, nullable=nullable, server_default=default))
