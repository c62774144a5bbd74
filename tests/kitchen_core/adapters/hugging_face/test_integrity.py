"""What is kept is what the hub lists, whatever happens on the way and afterwards."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import multiprocessing
import os
import resource
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.listing import ListedFile
from kitchen_core.adapters.hugging_face.models import HuggingFaceModels
from kitchen_core.content import sha256_of_model
from kitchen_core.train.ports.errors import PortError, Unavailable
from tests.kitchen_core.adapters.hugging_face.conftest import COMMIT

WEIGHTS = "model.safetensors"


@pytest.fixture
def place(kept: Path) -> Path:
    """Where the open model lies once it is complete."""
    return kept / "org" / "open" / COMMIT


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
async def test_a_file_that_came_damaged_is_fetched_anew(connect, double, name):
    double.damaged[name] = 1
    model = await connect().fetch_model("org/open")
    assert (model.folder / name).read_text() == f"content of {name}"


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
async def test_a_file_that_comes_damaged_again_is_refused(connect, double, place, name):
    double.damaged[name] = 2
    with pytest.raises(Unavailable, match=f"{name} of org/open came damaged twice"):
        await connect().fetch_model("org/open")
    assert not place.exists()
    assert (await connect().fetch_model("org/open")).folder == place


async def test_a_connection_that_breaks_in_the_middle_is_taken_up_again(connect, double):
    double.cut[WEIGHTS] = 1
    model = await connect().fetch_model("org/open")
    assert (model.folder / WEIGHTS).read_text() == f"content of {WEIGHTS}"


async def test_only_what_is_missing_is_fetched_again(connect, double, place):
    await connect().fetch_model("org/open")
    (place / WEIGHTS).unlink()
    double.requests.clear()
    assert (await connect().fetch_model("org/open", COMMIT)).folder == place
    assert (place / WEIGHTS).is_file()
    assert {asked for asked in double.requests if asked.startswith("GET /org")} == {
        f"GET /org/open/resolve/{COMMIT}/{WEIGHTS}"
    }


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("harm", "says"),
    [(Path.unlink, f"{WEIGHTS} is missing"), (cut, f"{WEIGHTS} has 27 bytes and not 28")],
)
async def test_without_a_network_a_damaged_snapshot_says_what_is_wrong_with_it(
    connect, double, place, harm, says
):
    await connect().fetch_model("org/open")
    harm(place / WEIGHTS)
    double.down = "/"
    with pytest.raises(Unavailable) as refused:
        await connect().fetch_model("org/open", COMMIT)
    assert says in refused.value.hint
    double.down = "never"
    assert (await connect().fetch_model("org/open", COMMIT)).folder == place
    assert (place / WEIGHTS).read_text() == f"content of {WEIGHTS}"


async def test_the_record_is_no_part_of_the_model(connect, served):
    model = await connect().fetch_model("org/open")
    expected = sha256_of_model(model.folder)
    (model.folder / ".files").unlink()
    assert sha256_of_model(model.folder) == expected


@pytest.mark.parametrize("offline", [False, True])
async def test_without_a_network_a_branch_names_the_commit_that_is_here(
    connect, double, monkeypatch, offline
):
    for weights in (False, True):
        await connect().fetch_model("org/open", weights=weights)
    if offline:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        double.down = "/"
    asked = len(double.requests)
    with pytest.raises(Unavailable) as refused:
        await connect().fetch_model("org/open", "main")
    assert refused.value.hint == f"hf:org/open@{COMMIT} is here, and needs no network."
    assert refused.value.retryable is not offline
    assert (len(double.requests) == asked) is offline
    assert (await connect().fetch_model("org/open", COMMIT)).commit == COMMIT


async def test_without_a_network_a_model_that_is_not_here_says_no_more_than_that(connect, double):
    await connect().fetch_model("org/open", weights=False)
    double.down = "/"
    with pytest.raises(Unavailable) as refused:
        await connect().fetch_model("org/open")
    assert "is here" not in refused.value.hint


async def test_a_full_disk_leaves_nothing_that_looks_complete(connect, served, place):
    """A limit on the size of files is as good: a write fails in the middle of one."""
    (served / WEIGHTS).write_bytes(b"w" * 200_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(PortError, match=os.strerror(errno.EFBIG)) as refused:
            await connect().fetch_model("org/open")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Make room" in refused.value.hint
    assert not refused.value.retryable
    assert not place.exists()
    assert (await connect().fetch_model("org/open")).folder == place


async def test_too_little_room_is_said_before_anything_comes(connect, double, kept, monkeypatch):
    usage = shutil.disk_usage(kept.parent)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(PortError, match=r"org/open needs 0 kB, and 0 kB are free in"):
        await connect().fetch_model("org/open")
    assert not any("/resolve/" in asked for asked in double.requests)


def fetch(endpoint: str, kept: Path) -> None:
    hub = HuggingFaceModels(Access(endpoint, None, "HF_TOKEN"), kept)
    asyncio.run(hub.fetch_model("org/open"))


async def test_two_processes_that_fetch_the_same_do_it_once(double, served, kept, place):
    (served / WEIGHTS).write_bytes(os.urandom(3_000_000))
    spawn = multiprocessing.get_context("forkserver")
    both = [spawn.Process(target=fetch, args=(double.endpoint, kept)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert (place / WEIGHTS).read_bytes() == (served / WEIGHTS).read_bytes()
    fetched = [asked for asked in double.requests if asked.startswith("GET /org/open/resolve")]
    assert len(fetched) == 4


async def test_two_at_once_in_one_process_do_it_once(connect, double):
    first, second = await asyncio.gather(*(connect().fetch_model("org/open") for _ in range(2)))
    assert first == second
    fetched = [asked for asked in double.requests if asked.startswith("GET /org/open/resolve")]
    assert len(fetched) == 4


def test_a_small_file_is_known_by_what_git_calls_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("what is up, doc?")
    # the example of "Pro Git", chapter 10.2
    listed = ListedFile("a.json", 16, None, "bd9dbf5aae1a3862dd1526723246b20206e5fc37")
    assert listed.is_at(path)
    path.write_text("what is up, Doc?")
    assert not listed.is_at(path)


def test_a_large_file_is_known_by_its_sha256(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert ListedFile("a.bin", 3, sha256, "").is_at(path)
    assert not ListedFile("a.bin", 3, hashlib.sha256(b"abd").hexdigest(), "").is_at(path)
