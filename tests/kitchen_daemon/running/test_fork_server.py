"""Workers are forked from one process: what it may not have done before, and what it tells of them."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from kitchen_core.home import Home
from kitchen_daemon.running import fork_server
from kitchen_daemon.running.fork_server import ForkServer

LOOKS = """
import threading
import torch

asked = []
for name in ("is_available", "device_count", "_lazy_init"):
    setattr(torch.cuda, name, lambda *_, name=name: asked.append(name))
from kitchen_daemon.worker import import_what_is_slow
import_what_is_slow()
print(asked, threading.active_count())
"""


def test_what_workers_are_forked_from_asks_no_gpu_and_runs_one_thread():
    looked = subprocess.run(
        [sys.executable, "-c", LOOKS], capture_output=True, text=True, check=True
    )
    assert looked.stdout == "[] 1\n"


@pytest.fixture
def server(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    return ForkServer(home)


async def test_it_tells_how_workers_end_and_is_replaced_where_it_dies_or_hangs(server, monkeypatch):
    with await server.fork() as unleased:
        assert os.getsid(unleased.worker.identity.pid) == unleased.worker.identity.pid
    assert await unleased.worker.wait() == 0
    with await server.fork() as killed:
        killed.worker.kill()
        assert await killed.worker.wait() == -signal.SIGKILL
    with await server.fork() as left:
        os.kill(psutil.Process(left.worker.identity.pid).ppid(), signal.SIGKILL)
        assert await left.worker.exit_code is None
        assert left.worker.identity.is_alive()
        assert not server.is_ready
        with await server.fork() as next_one:
            assert server.is_ready
            os.kill(server.pid, signal.SIGSTOP)
            monkeypatch.setattr(fork_server, "FORK_WITHIN_S", 0.05)
            with pytest.raises(TimeoutError, match="the fork server made no worker within"):
                await server.fork()
            assert server.pid is None
    assert await left.worker.wait() is None
    assert await next_one.worker.wait() is None
    server.close()
