"""What adapters belong to. A run's config says it of those that it has made; of others it is kept here."""

from __future__ import annotations

from kitchen_core.store.database import Database
from kitchen_core.store.records import AdapterBaseRecord

_MAKER = "SELECT run_id FROM artifact WHERE sha256 = ? AND run_id IS NOT NULL ORDER BY id LIMIT 1"


class Bases:
    """The store's knowledge of bases."""

    db: Database

    def maker_of(self, sha256: str) -> str | None:
        """The id of the first run that made this content; None where no run of this home has."""
        row = self.db.row(_MAKER, (sha256,))
        return None if row is None else row["run_id"]

    def keep_base(self, adapter_sha256: str, base: AdapterBaseRecord) -> None:
        """Remember what an adapter belongs to."""
        with self.db.write(durable=True) as connection:
            connection.execute(
                "INSERT INTO adapter_base (adapter_sha256, ref, sha256) VALUES (?, ?, ?) "
                "ON CONFLICT (adapter_sha256) DO UPDATE SET ref = excluded.ref, sha256 = excluded.sha256",
                (adapter_sha256, base.ref, base.sha256),
            )

    def find_base(self, adapter_sha256: str) -> AdapterBaseRecord | None:
        """What an adapter belongs to, where that was kept."""
        sql = "SELECT ref, sha256 FROM adapter_base WHERE adapter_sha256 = ?"
        row = self.db.row(sql, (adapter_sha256,))
        return None if row is None else AdapterBaseRecord.model_validate(dict(row))
