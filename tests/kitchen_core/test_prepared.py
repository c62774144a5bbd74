"""Prepared sets on disk: what was written is what is read, or it is not there."""

import os
import resource
import shutil
import signal
from multiprocessing import get_context
from pathlib import Path

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
        assert same(datum, datum_from_rendered(sequence))


def test_marks_outlast_the_buffer_that_they_are_gathered_in(store, monkeypatch):
    monkeypatch.setattr("kitchen_core.prepared._BITS_AT_ONCE", 8)
    found = write(store)
    for datum, sequence in zip(found, SEQUENCES, strict=True):
        assert same(datum, datum_from_rendered(sequence))


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


def test_a_set_in_use_is_spared(tmp_path):
    store = PreparedStore(tmp_path, limit_bytes=1)
    used = write(store, "one")
    write(store, "two")
    assert store.find("one").fingerprint == used.fingerprint
    del used
    write(store, "three")
    assert store.find("one") is None


def test_a_set_in_use_outlives_its_removal(store, tmp_path):
    used = write(store)
    shutil.rmtree(tmp_path / KEY)
    assert same(used[1], datum_from_rendered(SEQUENCES[1]))


def test_what_was_made_is_there_however_soon_it_is_removed(store, tmp_path):
    with store.writing(KEY) as writer:
        writer.add(SEQUENCES[1], 1)
    shutil.rmtree(tmp_path / KEY)
    assert same(writer.made[0], datum_from_rendered(SEQUENCES[1]))


def test_what_another_is_writing_is_left_alone(store, tmp_path):
    with PreparedStore(tmp_path).writing("other") as slower:
        slower.add(SEQUENCES[0], 1)
        write(store)
    assert store.find("other") is not None


def test_a_full_disk_leaves_nothing(store, tmp_path):
    process = get_context("fork").Process(target=_fill_the_disk, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == FULL
    assert list(tmp_path.iterdir()) == []


FULL = 28


def _fill_the_disk(folder):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # what a file may take
    try:
        write(PreparedStore(folder), sequences=[Rendered([1, 2, 3] * 50, [True] * 150)] * 1000)
    except OSError:
        os._exit(FULL)


def test_a_large_set_counts_not_as_the_memory_of_who_opens_it(store):
    large = Rendered([1] * 10_000_000, [True] * 10_000_000)
    found = write(store, sequences=[large])
    assert len(found) == 1
    assert _resident_bytes(found) < 1_000_000


def _resident_bytes(found):
    """What of the set's maps is in this process's memory."""
    maps = Path("/proc/self/smaps").read_text().split("tokens.i32\n")[1:]
    return sum(1024 * int(each.split("Rss:")[1].split()[0]) for each in maps)


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
