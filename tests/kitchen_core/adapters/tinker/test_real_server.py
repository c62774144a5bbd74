"""The adapter against a real server of Tinker's protocol (SkyRL on JAX), where one is at hand.

KITCHEN_TEST_TINKER is the command that starts one, called with a port and a work folder in which it
finds or makes `venv`, `model` and its state.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from kitchen_core.adapters.tinker.client import TinkerTraining
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.types import AdamParams, LoraSpec, LossSpec, ModelSource, SessionSpec
from tests.contracts.data import DATUMS, negative_sum

COMMAND = os.environ.get("KITCHEN_TEST_TINKER")
MADE_BEFORE = Path.home() / ".cache" / "tinker-server"
STEP = AdamParams(learning_rate=1e-3)
TEXT = [[1, 2, 3, 4, 5]]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMMAND is None, reason="KITCHEN_TEST_TINKER is not set"),
]


class Server:
    """A server process that can be killed and started again on the same port and folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        for name in ("venv", "model", "jax"):
            if (MADE_BEFORE / name).exists():
                (folder / name).symlink_to(MADE_BEFORE / name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert COMMAND is not None
        self.process = subprocess.Popen(
            [*shlex.split(COMMAND), str(self.port), str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/api/v1/healthz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise TimeoutError("the server has not come up")

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    made.wait()
    yield made
    made.kill()


@pytest.fixture
async def training(server):
    service = Service("tml-local", base_url=server.url, project=None, timeout_s=300)
    made = TinkerTraining(service, base_model=str(server.folder / "model"), train_unembed=False)
    yield made
    await made.close()


@pytest.fixture
def spec(server):
    return SessionSpec(ModelSource("org/tiny", server.folder / "model"), LoraSpec(8), seed=3)


async def train(session, steps: int, adam: AdamParams = STEP) -> list[float]:
    handles = []
    for _ in range(steps):
        handles.append(session.forward_backward(DATUMS, LossSpec()))
        last = session.optim_step(adam)
    await last
    return [(await handle).metrics["loss"] for handle in handles]


async def score(session) -> np.ndarray:
    return np.concatenate((await session.forward(DATUMS, LossSpec())).logprobs)


async def test_the_loss_falls_and_a_custom_loss_trains_as_the_named_one(training, spec):
    named, custom = await training.start_session(spec), await training.start_session(spec)
    losses = await train(named, 8)
    assert losses[-1] < losses[0] - 5
    for _ in range(8):
        custom.forward_backward_custom(DATUMS, negative_sum)
        await custom.optim_step(STEP)
    np.testing.assert_allclose(await score(custom), await score(named), atol=1e-3)
    await named.close()
    await custom.close()


async def test_a_resumed_session_goes_on_bit_for_bit(training, spec, tmp_path):
    undisturbed, first = await training.start_session(spec), await training.start_session(spec)
    expected = await train(undisturbed, 6)
    before = await train(first, 3)
    await first.save_state(tmp_path / "state")
    second = await training.start_session(replace(spec, seed=9))
    await second.load_state(tmp_path / "state")
    assert before + await train(second, 3) == expected
    np.testing.assert_array_equal(await score(second), await score(undisturbed))
    for session in (undisturbed, first, second):
        await session.close()


async def test_an_exported_adapter_says_the_same_on_this_machine(training, spec, tmp_path):
    session = await training.start_session(spec)
    await train(session, 4, AdamParams(learning_rate=1e-2))
    await session.export(tmp_path / "adapter")
    here = replace(spec.model, adapter=tmp_path / "adapter")
    local = await TorchLocal().start_session(replace(spec, model=here))
    np.testing.assert_allclose(await score(local), await score(session), atol=1e-3)
    await local.close()
    await session.close()


@pytest.mark.parametrize("saved", [False, True])
async def test_a_server_that_is_killed_and_started_again_changes_nothing(
    server, training, spec, tmp_path, saved
):
    undisturbed = await training.start_session(spec)
    await train(undisturbed, 6)
    expected = await score(undisturbed)
    await undisturbed.close()
    session = await training.start_session(spec)
    await train(session, 2)
    if saved:
        await session.save_state(tmp_path / "state")
    await train(session, 1)
    snapshot = session.sampler("snapshot")
    before = await snapshot.compute_logprobs(TEXT)
    await train(session, 1)
    pending = session.forward_backward(DATUMS, LossSpec())
    server.kill()
    server.start()
    session.optim_step(STEP)
    await pending
    session.forward_backward(DATUMS, LossSpec())
    assert (await session.optim_step(STEP)).version == 6
    np.testing.assert_array_equal(await score(session), expected)
    np.testing.assert_array_equal(await snapshot.compute_logprobs(TEXT), before)
    await session.close()
