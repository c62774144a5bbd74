"""What a worker makes of its lease before CUDA starts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kitchen_daemon.running.lease import Lease, send_lease, wait_for_lease
from kitchen_daemon.worker import _take_devices

LEASE = Lease(home=Path("/home/cook/kitchen"), run_id="sl_basic-7f3k", attempt=1)


@pytest.fixture
def visible(monkeypatch):
    """Gives a lease to this process; says what CUDA would see then."""

    def take(**given) -> str | None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-before")
        _take_devices(LEASE.model_copy(update=given))
        return os.environ.get("CUDA_VISIBLE_DEVICES")

    return take


def test_a_worker_sees_the_gpus_of_its_lease(visible):
    assert visible(devices="GPU-a,GPU-b") == "GPU-a,GPU-b"


def test_a_worker_without_gpus_sees_none(visible):
    assert visible(devices="") == ""


def test_a_lease_without_devices_leaves_them(visible):
    assert visible() == "GPU-before"


def test_a_lease_goes_over_whole():
    lease = LEASE.model_copy(update={"devices": "GPU-a", "memory_bytes": 8 * 2**30})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send_lease(ours, lease)
        assert wait_for_lease(theirs) == lease
        assert int(ours.recv(64)) == os.getpid()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_share_of_a_gpu_that_is_not_there_is_left_for_the_run_to_tell(visible):
    assert visible(devices="GPU-a", memory_bytes=2**30) == "GPU-a"


OVERSHOOTS = """
import torch
from kitchen_core.adapters.torch_local import limit_memory
from kitchen_core.adapters.torch_local.failures import translate
limit_memory(2**30)
held = torch.empty(2**29, dtype=torch.uint8, device="cuda")
try:
    torch.empty(2**30, dtype=torch.uint8, device="cuda")
except torch.OutOfMemoryError as error:
    print(translate(error).hint)
"""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_run_that_overshoots_its_share_is_told_to_ask_for_more():
    done = subprocess.run([sys.executable, "-c", OVERSHOOTS], capture_output=True, text=True)
    assert "give it more with --memory" in done.stdout, done.stderr
