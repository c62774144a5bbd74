"""How Alembic reaches the store: over the connection that `migration` hands it."""

from __future__ import annotations

from alembic import context

from kitchen_core.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
