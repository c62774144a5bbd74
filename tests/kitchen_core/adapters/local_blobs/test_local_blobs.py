"""A folder of blobs: what a killed writer and a full disk leave, and where the folder lies."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kitchen_core.adapters.local_blobs import adapter
from kitchen_core.adapters.local_blobs.blobs import LEFT_AFTER_S, LocalBlobs
from kitchen_core.train.ports.errors import PortError

CONTENT = bytes(range(256)) * 40_000  # 10 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()

PUT_AND_STOP_HALF_WAY = """
import asyncio, sys
from pathlib import Path
from kitchen_core.adapters.local_blobs.blobs import LocalBlobs

def half_way(done):
    if done > 5_000_000:
        print("half way", flush=True)
        sys.stdin.read()

asyncio.run(LocalBlobs(Path(sys.argv[1])).put(Path(sys.argv[2]), sys.argv[3], half_way))
"""
PUT_ON_A_FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from kitchen_core.adapters.local_blobs.blobs import LocalBlobs
from kitchen_core.train.ports.errors import PortError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
try:
    asyncio.run(LocalBlobs(Path(sys.argv[1])).put(Path(sys.argv[2]), sys.argv[3]))
except PortError as error:
    print(error.retryable, error.message, error.hint)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_writer_that_is_killed_leaves_nothing_under_the_name(source, folder, tmp_path):
    _put_and_kill_half_way(folder, source)
    blobs = LocalBlobs(folder)
    (left,) = files(folder)
    assert 0 < left.stat().st_size < len(CONTENT)
    assert left.parent.name == "tmp"
    assert not await blobs.has(SHA256)
    assert await blobs.put(source, SHA256)
    await blobs.get(SHA256, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT


def _put_and_kill_half_way(folder: Path, source: Path) -> None:
    command = [sys.executable, "-c", PUT_AND_STOP_HALF_WAY, str(folder), str(source), SHA256]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"half way\n"
        process.kill()


async def test_what_a_dead_writer_has_left_goes_when_it_is_old(source, folder):
    blobs = LocalBlobs(folder)
    (folder / "tmp").mkdir(parents=True)
    old, new = folder / "tmp" / "old", folder / "tmp" / "new"
    for left, age in ((old, LEFT_AFTER_S + 60), (new, 0)):
        left.write_bytes(b"half")
        then = left.stat().st_mtime - age
        os.utime(left, (then, then))
    await blobs.put(source, SHA256)
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_leaves_nothing_and_is_not_asked_again(source, folder):
    command = [sys.executable, "-c", PUT_ON_A_FULL_DISK, str(folder), str(source), SHA256]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"False the disk of {folder} is full")
    assert "Free some space" in said
    assert files(folder) == []


async def test_half_a_blob_from_elsewhere_is_replaced(source, folder):
    blobs = LocalBlobs(folder)
    blob = folder / "blobs" / SHA256[:2] / SHA256
    blob.parent.mkdir(parents=True)
    blob.write_bytes(CONTENT[:100])
    assert await blobs.put(source, SHA256)
    assert blob.read_bytes() == CONTENT


async def test_probing_says_how_much_room_there_is(folder):
    assert await LocalBlobs(folder).probe() == f"{folder}, {_free(folder)} GiB free"
    assert files(folder) == []


async def test_a_folder_that_can_not_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PortError, match="can't be written") as refused:
        await LocalBlobs(tmp_path / "file" / "kept").probe()
    assert not refused.value.retryable


def test_the_usual_folder_lies_beside_the_kitchens_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    connect = adapter.ports["blob_store"]
    assert connect().place == str(tmp_path / "crucible-kitchen-blobs")
    assert connect(folder="/mnt/second").place == "/mnt/second"


def _free(folder: Path) -> str:
    stat = os.statvfs(folder)
    return f"{stat.f_bavail * stat.f_frsize / 1024**3:.1f}"
