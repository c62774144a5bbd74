"""What every blob store does."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen_core.adapters.fsspec.address import Address
from kitchen_core.adapters.fsspec.blobs import FsspecBlobs
from kitchen_core.adapters.local_blobs.blobs import LocalBlobs
from kitchen_core.adapters.memory.blobs import MemoryBlobs
from kitchen_core.train.ports.blobs import BlobStore
from kitchen_core.train.ports.errors import InvalidRequest, NotFound

ABSENT = "0" * 64
BIG = bytes(range(256)) * 12_000  # 3 MB: several blocks


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Kept:
    """A store, and ways around it: to damage content, and to list what it holds."""

    store: BlobStore
    damage: Callable[[str], None]
    names: Callable[[], set[str]]


@pytest.fixture(params=["local_blobs", "fsspec-file", "fsspec-memory", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    root = tmp_path / "blobs"
    match request.param:
        case "memory":
            memory = MemoryBlobs()
            yield Kept(memory, memory.damage, lambda: {n for n in memory._kept if "blobs/" in n})
        case "fsspec-memory":
            yield from _in_fsspecs_memory()
        case "fsspec-file":
            yield Kept(FsspecBlobs(Address(f"file://{root}", {}, {})), *_of_folder(root))
        case _:
            yield Kept(LocalBlobs(root), *_of_folder(root))


def _of_folder(root: Path) -> tuple[Callable[[str], None], Callable[[], set[str]]]:
    def damage(sha: str) -> None:
        path = root / "blobs" / sha[:2] / sha
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])

    def names() -> set[str]:
        everywhere = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)) for path in everywhere if "notes" not in path.parts}

    return damage, names


def _in_fsspecs_memory() -> Iterator[Kept]:
    fs = fsspec.filesystem("memory")

    def damage(sha: str) -> None:
        path = f"/kept/blobs/{sha[:2]}/{sha}"
        content = fs.cat_file(path)
        fs.pipe_file(path, bytes([content[0] ^ 1]) + content[1:])

    def names() -> set[str]:
        return {n.removeprefix("/kept/") for n in fs.find("/kept") if "/notes/" not in n}

    try:
        yield Kept(FsspecBlobs(Address("memory://kept", {}, {})), damage, names)
    finally:
        fs.rm("/", recursive=True)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def written(content: bytes) -> Path:
        path = tmp_path / "source"
        path.write_bytes(content)
        return path

    return written


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000))
def test_what_comes_back_is_what_was_sent(kept, file, tmp_path, content):
    async def there_and_back() -> None:
        await kept.store.put(file(content), sha256(content))
        assert await kept.store.has(sha256(content))
        await kept.store.get(sha256(content), tmp_path / "back")

    asyncio.run(there_and_back())
    assert (tmp_path / "back").read_bytes() == content


async def test_a_big_file_goes_in_blocks_and_tells_how_far_it_is(kept, file, tmp_path):
    sent: list[int] = []
    fetched: list[int] = []
    await kept.store.put(file(BIG), sha256(BIG), sent.append)
    await kept.store.get(sha256(BIG), tmp_path / "back", fetched.append)
    assert (tmp_path / "back").read_bytes() == BIG
    assert sent == sorted(sent)
    assert len(sent) > 1
    assert sent[-1] == fetched[-1] == len(BIG)


async def test_content_that_is_there_is_not_sent_again(kept, file):
    sent: list[int] = []
    assert await kept.store.put(file(BIG), sha256(BIG)) is True
    assert await kept.store.put(file(BIG), sha256(BIG), sent.append) is False
    assert sent == []


async def test_what_is_not_there_is_not_found(kept, tmp_path):
    assert not await kept.store.has(ABSENT)
    with pytest.raises(NotFound) as refused:
        await kept.store.get(ABSENT, tmp_path / "back")
    assert refused.value.port == "blob_store"
    assert refused.value.hint
    assert list(tmp_path.glob("*back*")) == []


async def test_damaged_content_is_refused_and_nothing_is_left_of_it(kept, file, tmp_path):
    await kept.store.put(file(BIG), sha256(BIG))
    kept.damage(sha256(BIG))
    before = set(tmp_path.iterdir())
    with pytest.raises(InvalidRequest, match="damaged") as refused:
        await kept.store.get(sha256(BIG), tmp_path / "back")
    assert not refused.value.retryable
    assert set(tmp_path.iterdir()) == before


async def test_a_file_that_is_another_one_is_not_kept(kept, file):
    with pytest.raises(InvalidRequest, match=sha256(BIG)):
        await kept.store.put(file(BIG), ABSENT)
    assert not await kept.store.has(ABSENT)
    assert kept.names() == set()


async def test_a_file_that_is_not_here_can_not_be_sent(kept, tmp_path):
    with pytest.raises(InvalidRequest, match="nowhere"):
        await kept.store.put(tmp_path / "nowhere", ABSENT)


@pytest.mark.parametrize("name", ["", "ab", "../../etc/passwd", "A" * 64, "0" * 63 + "/"])
async def test_only_a_hash_names_content(kept, name, tmp_path):
    with pytest.raises(InvalidRequest, match="SHA-256"):
        await kept.store.has(name)
    with pytest.raises(InvalidRequest, match="SHA-256"):
        await kept.store.get(name, tmp_path / "back")


async def test_the_same_content_can_be_sent_by_two_at_the_same_time(kept, file, tmp_path):
    path = file(BIG)
    await asyncio.gather(*(kept.store.put(path, sha256(BIG)) for _ in range(3)))
    await kept.store.get(sha256(BIG), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BIG
    assert len(kept.names()) == 1


async def test_a_transfer_that_is_cancelled_leaves_nothing(kept, file, tmp_path):
    if isinstance(kept.store, MemoryBlobs):
        return  # it takes no time in which it could be cancelled
    loop = asyncio.get_running_loop()
    path = file(BIG)
    sending = asyncio.ensure_future(
        kept.store.put(path, sha256(BIG), lambda done: _cancelled(loop, sending))
    )
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert kept.names() == set()
    await kept.store.put(path, sha256(BIG))
    before = set(tmp_path.iterdir())
    getting = asyncio.ensure_future(
        kept.store.get(sha256(BIG), tmp_path / "back", lambda done: _cancelled(loop, getting))
    )
    with pytest.raises(asyncio.CancelledError):
        await getting
    assert set(tmp_path.iterdir()) == before


def _cancelled(loop: asyncio.AbstractEventLoop, task: asyncio.Future[object]) -> None:
    """From the transfer's own thread: cancel it, and go on when the loop has done so."""

    async def cancel() -> None:
        task.cancel()
        await asyncio.sleep(0)

    with suppress(asyncio.CancelledError):
        asyncio.run_coroutine_threadsafe(cancel(), loop).result(10)


async def test_a_note_on_content_can_be_read_and_written_anew(kept):
    with pytest.raises(NotFound):
        await kept.store.get_note(ABSENT)
    for note in ("a model", "a better modél"):
        await kept.store.put_note(ABSENT, note)
        assert await kept.store.get_note(ABSENT) == note
    assert not await kept.store.has(ABSENT)
