"""Where the kernel does not tell of changes, they are looked for."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from kitchen_daemon.reloading import watching
from tests.kitchen_daemon.reloading.conftest import recipe


async def test_without_watches_the_folders_are_looked_at_again_and_again(watched, monkeypatch):
    def refused(*paths, **options):
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watching, "awatch", refused)
    monkeypatch.setattr(watching, "POLL_S", 0.05)
    async with watched.reloading():
        await watched.becomes("first")
        watched.write("second")
        await watched.becomes("second")
        assert "OS file watch limit reached" in watched.shelf.trouble
        assert "fs.inotify.max_user_watches" in watched.shelf.trouble


SAYS_TROUBLE = """
import asyncio, sys
from pathlib import Path
from kitchen_daemon.reloading.watching import watch

async def look():
    return {Path(sys.argv[1])}

def on_trouble(trouble):
    sys.exit(trouble)

asyncio.run(watch(look, asyncio.Event(), on_trouble))
"""


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_a_kernel_without_a_watch_left_says_so(tmp_path, limit):
    """In a user namespace of its own, whose limit is none at all."""
    words = shlex.join([sys.executable, "-c", SAYS_TROUBLE, str(tmp_path)])
    shell = f"echo 0 > /proc/sys/user/{limit} && echo limited && exec {words}"
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", shell], capture_output=True, text=True, timeout=60
    )
    if not done.stdout:
        pytest.skip("this machine lets users have no namespaces")
    assert "the kernel lets nobody watch the recipe folders" in done.stderr.splitlines()[-1]


async def test_once_the_kernel_watches_again_the_trouble_is_over(watched, monkeypatch):
    real, refusals = watching.awatch, [OSError("no watches left")]

    def refused_once(*paths, **options):
        if refusals:
            raise refusals.pop()
        return real(*paths, **options)

    monkeypatch.setattr(watching, "awatch", refused_once)
    monkeypatch.setattr(watching, "RETRY_S", 0.1)
    monkeypatch.setattr(watching, "POLL_S", 0.05)
    async with watched.reloading():
        for text in ("first", "second", "third"):
            watched.path().write_text(recipe(text))
            await watched.becomes(text)
    assert (refusals, watched.shelf.trouble) == ([], "")


async def test_a_remote_file_system_is_looked_at_every_so_often(watched, monkeypatch):
    """Hints that never come, as from changes that another machine makes."""
    real = watching.awatch

    def deaf(*paths, **options):
        return real(watched.home.runtime, **options)

    monkeypatch.setattr(watching, "is_remote", lambda directories: True)
    monkeypatch.setattr(watching, "POLL_S", 0.05)
    monkeypatch.setattr(watching, "awatch", deaf)
    async with watched.reloading():
        await watched.becomes("first")
        watched.write("second")
        await watched.becomes("second")


def test_a_folder_here_is_not_remote(tmp_path):
    assert not watching.is_remote([tmp_path])
