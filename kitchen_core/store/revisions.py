"""Recipe revisions: which source a recipe had, and where it came from."""

from __future__ import annotations

from kitchen_core.store.database import Database
from kitchen_core.store.errors import Ambiguous, NotFound
from kitchen_core.store.records import RevisionRecord, insert_sql

_UPDATES = ", ".join(
    f"{column} = excluded.{column}" for column in RevisionRecord.model_fields if column != "sha256"
)
_NEWEST_OF_FILE = "SELECT * FROM recipe_revision WHERE source_path = ? ORDER BY created_at DESC, rowid DESC LIMIT 1"
_SHORTEST = 12  # characters of a SHA-256 in a list of candidates


class Revisions:
    """The store's recipe revisions. Their source is a tree artifact of no run."""

    db: Database

    def put_revision(self, revision: RevisionRecord) -> RevisionRecord:
        """Keep a revision; as it was kept. One that comes back (an edit undone) is the newest again; the newest of
        its file stays as old as it was.
        """
        with self.db.write(durable=True) as connection:
            newest = connection.execute(_NEWEST_OF_FILE, (revision.source_path,)).fetchone()
            if newest is not None and newest["sha256"] == revision.sha256:
                revision = revision.model_copy(update={"created_at": newest["created_at"]})
            values = revision.model_dump()
            connection.execute(
                f"{insert_sql('recipe_revision', values)} "
                f"ON CONFLICT (sha256) DO UPDATE SET {_UPDATES}",
                values,
            )
        return revision

    def get_revision(self, sha256: str) -> RevisionRecord:
        """The revision with this hash. Raises NotFound."""
        row = self.db.row("SELECT * FROM recipe_revision WHERE sha256 = ?", (sha256,))
        if row is None:
            raise NotFound("recipe revision", sha256)
        return RevisionRecord.model_validate(dict(row))

    def newest_revision(self, source_path: str) -> RevisionRecord | None:
        """The last that a file had."""
        row = self.db.row(_NEWEST_OF_FILE, (source_path,))
        return None if row is None else RevisionRecord.model_validate(dict(row))

    def find_revision(self, recipe: str, sha256: str) -> RevisionRecord:
        """A recipe's revision by its hash or a unique prefix. Raises NotFound, Ambiguous."""
        found = [
            revision
            for revision in self.list_revisions(recipe)
            if sha256 and revision.sha256.startswith(sha256.lower())
        ]
        if not found:
            raise NotFound(f"revision of recipe {recipe} that begins with", sha256)
        if len(found) > 1:
            raise Ambiguous("revision", sha256, [each.sha256[:_SHORTEST] for each in found])
        return found[0]

    def list_revisions(self, recipe: str, limit: int | None = None) -> list[RevisionRecord]:
        """A recipe's revisions, newest first."""
        sql = (
            "SELECT * FROM recipe_revision WHERE recipe = ? "
            "ORDER BY created_at DESC, rowid DESC LIMIT ?"
        )
        rows = self.db.rows(sql, (recipe, -1 if limit is None else limit))
        return [RevisionRecord.model_validate(dict(row)) for row in rows]
