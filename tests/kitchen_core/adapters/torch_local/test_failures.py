"""What torch raises comes out as the family says."""

from __future__ import annotations

import errno
import json
import shutil

import pytest
import torch

from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.adapters.torch_local.failures import translate
from kitchen_core.train.ports.errors import InvalidRequest, PortError
from kitchen_core.train.types import LossSpec, ModelSource, SessionSpec
from tests.contracts.data import DATUMS


@pytest.fixture
async def thread():
    thread = ComputeThread("training_client", "torch_local", translate)
    yield thread
    await thread.close(lambda: None)


async def test_out_of_memory_says_what_to_lower(thread):
    with pytest.raises(InvalidRequest, match="out of memory") as refused:
        await thread.submit("forward_backward", lambda: torch.empty(2**55))
    assert "micro_batch_tokens" in refused.value.hint
    assert refused.value.asked == "forward_backward"


async def test_a_full_disk_stays_what_it_is(thread):
    def write():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await thread.submit("save_state", write)


async def test_anything_else_keeps_its_cause(thread):
    with pytest.raises(PortError, match="ZeroDivisionError") as refused:
        await thread.submit("forward", lambda: 1 // 0)
    assert isinstance(refused.value.__cause__, ZeroDivisionError)
    assert await thread.submit("forward", lambda: 2) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
async def test_a_gpu_that_is_not_there_is_refused(llama):
    spec = SessionSpec(ModelSource("x", llama), None, 0, device="cuda")
    with pytest.raises(InvalidRequest, match="no usable GPU") as refused:
        await TorchLocal().start_session(spec)
    assert refused.value.hint == "Set device=cpu."


async def test_weights_that_do_not_match_the_config_are_named(start, llama, tmp_path):
    shutil.copytree(llama, tmp_path / "broken")
    config = json.loads((llama / "config.json").read_text())
    (tmp_path / "broken" / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InvalidRequest, match=r"lack model\.layers\.2"):
        await start(source=ModelSource("x", tmp_path / "broken"))


async def test_the_session_frees_its_weights_when_closed(start):
    session = await start()
    sampler = session.sampler("snapshot")
    await session.forward(DATUMS, LossSpec())
    await session.close()
    await session.close()
    with pytest.raises(PortError, match="closed"):
        await sampler.compute_logprobs([[1, 2]])


def test_a_run_that_used_up_its_share_is_told_how_to_get_more():
    error = torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which 9.11 GiB is "
        "free. 8.00 GiB allowed; Of the allocated memory 7.20 GiB is allocated by PyTorch."
    )
    told = translate(error)
    assert isinstance(told, InvalidRequest)
    assert told.hint.startswith("The run has a share of its GPU: give it more with --memory.")
    assert "micro_batch_tokens" in told.hint
