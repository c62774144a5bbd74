"""Prepared sets on disk: what was written is what is read, or it is not there."""

import os
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.prepared import LeftOut, PreparedStore
from kitchen_core.train.datums import datum_from_rendered
from kitchen_core.train.renderers import Rendered

KEY = "k" * 64
SEQUENCES = [
    Rendered([5, 6, 7], [False, True, True]),
    Rendered([8, 9], [False, True]),
    Rendered(list(range(100_000, 100_021)), [i % 3 == 1 for i in range(21)]),
]


NONE_LEFT_OUT = LeftOut()


def write(store, key=KEY, sequences=SEQUENCES, left_out=NONE_LEFT_OUT):
    with store.writing(key) as writer:
        for row, sequence in enumerate(sequences, start=1):
            writer.add(sequence, row)
        writer.left_out = left_out
    return store.find(key)


@pytest.fixture
def store(tmp_path):
    return PreparedStore(tmp_path)


def same(datum, other):
    return all(
        np.array_equal(getattr(datum, name), getattr(other, name))
        and getattr(datum, name).dtype == getattr(other, name).dtype
        for name in ("tokens", "targets", "weights")
    )


sequences = st.lists(
    st.lists(st.tuples(st.integers(0, 2**31 - 1), st.booleans()), min_size=2, max_size=40).map(
        lambda pairs: Rendered([token for token, _ in pairs], [mark for _, mark in pairs])
    ),
    min_size=1,
    max_size=30,
)


@given(sequences)
def test_a_datum_from_the_map_is_the_datum_of_the_sequence(tmp_path_factory, given_sequences):
    store = PreparedStore(tmp_path_factory.mktemp("prepared"))
    found = write(store, sequences=given_sequences)
    assert len(found) == len(given_sequences)
    assert [found.row(i) for i in range(len(found))] == [i + 1 for i in range(len(found))]
    for datum, sequence in zip(found, given_sequences, strict=True):
        assert same(datum, datum_from_rendered(sequence, len(sequence.tokens)))


def test_marks_outlast_the_buffer_that_they_are_gathered_in(store, monkeypatch):
    monkeypatch.setattr("kitchen_core.prepared._BITS_AT_ONCE", 8)
    found = write(store)
    for datum, sequence in zip(found, SEQUENCES, strict=True):
        assert same(datum, datum_from_rendered(sequence, 100))


def test_what_was_left_out_is_kept(store):
    assert write(store, left_out=LeftOut(3, 17)).left_out == LeftOut(3, 17)


def test_equal_sequences_have_equal_fingerprints_under_any_key(store):
    one = write(store, "a")
    other = write(store, "b")
    marked = write(store, "c", [Rendered([5, 6], [False, True])])
    differently = write(store, "d", [Rendered([5, 6], [True, True])])
    assert one.fingerprint == other.fingerprint
    assert len({one.fingerprint, marked.fingerprint, differently.fingerprint}) == 3


def test_a_key_that_was_never_written_finds_nothing(store):
    assert store.find(KEY) is None


@pytest.mark.parametrize(
    "name", ["tokens.i32", "trained.bits", "offsets.i64", "rows.i64", "facts.json"]
)
@pytest.mark.parametrize("damage", ["cut", "longer", "flipped", "gone", "empty"])
def test_a_damaged_file_is_never_trusted_and_can_be_made_again(store, tmp_path, name, damage):
    before = write(store).fingerprint
    file = tmp_path / KEY / name
    content = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(content[:-1])
        case "longer":
            file.write_bytes(content + b"\0")
        case "flipped":
            file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        case "gone":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
    assert store.find(KEY) is None
    assert write(store).fingerprint == before


def test_an_error_while_writing_leaves_nothing(store, tmp_path):
    def interrupted():
        yield SEQUENCES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(store, sequences=interrupted())
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_takes_what_the_first_has_made(store):
    with store.writing(KEY) as slower:
        slower.add(SEQUENCES[0], 1)
        faster = write(store, sequences=SEQUENCES[:1])
    assert store.find(KEY).fingerprint == faster.fingerprint


def test_the_least_recently_used_go_first(tmp_path):
    size = sum(file.stat().st_size for file in _files_of_one(tmp_path / "measured"))
    store = PreparedStore(tmp_path / "bounded", limit_bytes=2 * size + size // 2)
    for age, key in enumerate(("old", "used", "new")):
        write(store, key)
        os.utime(tmp_path / "bounded" / key / "facts.json", (age, age))
        if key == "used":
            store.find("old")  # now more recent than `used`
    assert store.find("used") is None
    assert store.find("old") is not None
    assert store.find("new") is not None


def _files_of_one(folder):
    write(PreparedStore(folder))
    return list((folder / KEY).iterdir())


def test_a_set_larger_than_the_limit_is_kept_while_it_is_the_newest(tmp_path):
    store = PreparedStore(tmp_path, limit_bytes=1)
    assert write(store, "one") is not None
    assert write(store, "two") is not None
    assert store.find("one") is None


def test_a_set_in_use_outlives_its_removal(tmp_path):
    store = PreparedStore(tmp_path, limit_bytes=1)
    used = write(store, "one")
    write(store, "two")
    assert same(used[1], datum_from_rendered(SEQUENCES[1], 100))


def _die_while_writing(folder):
    with PreparedStore(folder).writing(KEY) as writer:
        writer.add(SEQUENCES[0], 1)
        os._exit(1)


def test_what_a_killed_process_left_is_swept_by_the_next(store, tmp_path):
    process = get_context("fork").Process(target=_die_while_writing, args=(tmp_path,))
    process.start()
    process.join()
    assert len(list(tmp_path.glob(".*"))) == 1
    assert store.find(KEY) is None
    write(store)
    assert [path.name for path in tmp_path.iterdir()] == [KEY]
