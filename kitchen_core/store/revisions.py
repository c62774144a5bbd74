"""Recipe revisions: which source a recipe had, and where it came from."""

from __future__ import annotations

from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import RevisionRecord, insert_sql

_UPDATES = ", ".join(
    f"{column} = excluded.{column}" for column in RevisionRecord.model_fields if column != "sha256"
)


class Revisions:
    """The store's recipe revisions. Their source is a tree artifact of no run."""

    db: Database

    def put_revision(self, revision: RevisionRecord) -> None:
        """Keep a revision; one that comes back (an edit undone) is the newest again."""
        values = revision.model_dump()
        sql = (
            f"{insert_sql('recipe_revision', values)} ON CONFLICT (sha256) DO UPDATE SET {_UPDATES}"
        )
        with self.db.write(durable=True) as connection:
            connection.execute(sql, values)

    def get_revision(self, sha256: str) -> RevisionRecord:
        """The revision with this hash. Raises NotFound."""
        row = self.db.row("SELECT * FROM recipe_revision WHERE sha256 = ?", (sha256,))
        if row is None:
            raise NotFound("recipe revision", sha256)
        return RevisionRecord.model_validate(dict(row))

    def list_revisions(self, recipe: str, limit: int | None = None) -> list[RevisionRecord]:
        """A recipe's revisions, newest first."""
        sql = (
            "SELECT * FROM recipe_revision WHERE recipe = ? "
            "ORDER BY created_at DESC, rowid DESC LIMIT ?"
        )
        rows = self.db.rows(sql, (recipe, -1 if limit is None else limit))
        return [RevisionRecord.model_validate(dict(row)) for row in rows]
