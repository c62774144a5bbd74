"""A store that another process keeps locked."""

import pytest

from kitchen_core.store import Store, StoreBusy
from tests.kitchen_core.store.support import SUBMISSION


def test_a_write_gives_up_after_its_patience_and_says_what_to_do(store: Store) -> None:
    with Store.open(store.home, patience_s=0.05) as impatient:
        with (
            store.db.write(durable=False),
            pytest.raises(StoreBusy, match="let it go on or kill it"),
        ):
            impatient.create_run(SUBMISSION)
        assert impatient.create_run(SUBMISSION).id
    assert len(store.list_runs()) == 1


def test_reading_needs_no_patience(store: Store) -> None:
    with Store.open(store.home, patience_s=0.05) as impatient, store.db.write(durable=False):
        assert impatient.list_runs() == []


def test_a_snapshot_sees_one_moment(store: Store) -> None:
    with Store.open(store.home) as other, store.db.snapshot():
        assert store.list_runs() == []
        other.create_run(SUBMISSION)
        assert store.list_runs() == []
    assert len(store.list_runs()) == 1
