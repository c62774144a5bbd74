"""A daemon that is told to stop while it works for somebody."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from kitchen_daemon.client import Client, Refused
from kitchen_daemon.models import Launch, PullRequest, RenderRequest

HASH = "ab" * 32


def test_it_says_so_to_whoever_waits_and_is_not_held_up_by_a_thread_that_hangs(
    own_daemon, tmp_path
):
    note = tmp_path / "kept" / "notes" / HASH[:2] / HASH
    note.parent.mkdir(parents=True)
    os.mkfifo(note)  # a disk that does not answer
    manifest = tmp_path / "mine.toml"
    manifest.write_text(
        f'[ports.blob_store]\nadapter = "local_blobs"\nfolder = "{tmp_path}/kept"\n'
    )
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    file = own_daemon.home.recipes / "slow.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "import time\n"
        "from kitchen_core import Recipe\n"
        "from kitchen_core.train.renderers import TemplateRenderer, register_renderer\n"
        "from kitchen_core.workflows import SupervisedConfig, supervised\n"
        "def slow(tokenizer):\n"
        f"    open({str(begun)!r}, 'w').close()\n"
        "    time.sleep(60)\n"
        "register_renderer('slow', slow)\n"
        "recipe = Recipe('slow', 'S', supervised,\n"
        "                SupervisedConfig(renderer='slow', learning_rate=0.1))\n"
    )
    launch = Launch(recipe="slow", manifest="test", overrides={"dataset": "builtin:chat"})
    with ThreadPoolExecutor(2) as pool, Client(own_daemon.home) as client:
        pull = client.pull(PullRequest(sha256=HASH, manifest=str(manifest)))
        waiting = [
            pool.submit(own_daemon.client.render, RenderRequest(launch=launch)),
            pool.submit(list, pull),
        ]
        begun.open().close()  # returns once the process renders
        own_daemon.stop()
        for each in waiting:
            with pytest.raises(Refused, match="the daemon is stopping"):
                each.result()
    assert "Traceback" not in own_daemon.home.daemon_log.read_text()
