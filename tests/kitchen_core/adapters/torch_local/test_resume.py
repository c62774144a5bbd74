"""A run that goes on in another process ends with the same bits."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from kitchen_core.content import sha256_of_file
from kitchen_core.train.types import AdamParams, LossSpec
from tests.contracts.data import DATUMS

RESUME = """
import asyncio, sys
from pathlib import Path
import torch
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.types import AdamParams, LossSpec, ModelSource, SessionSpec
from tests.contracts.data import DATUMS

async def main(model, state, out):
    spec = SessionSpec(ModelSource("org/tiny", Path(model)), None, 7, micro_batch_tokens=3)
    session = await TorchLocal().start_session(spec)
    await session.load_state(Path(state))
    for _ in range(3):
        session.forward_backward(DATUMS, LossSpec())
        result = await session.optim_step(AdamParams(1e-2))
    await session.export(Path(out))
    await session.close()
    print(result.version)

asyncio.run(main(*sys.argv[1:]))
"""


async def train(session, steps: int) -> None:
    for _ in range(steps):
        session.forward_backward(DATUMS, LossSpec())
        await session.optim_step(AdamParams(learning_rate=1e-2))


async def test_three_steps_here_and_three_there_are_six(start, llama, tmp_path: Path):
    undisturbed = await start()
    await train(undisturbed, 6)
    await undisturbed.export(tmp_path / "expected")
    interrupted = await start()
    await train(interrupted, 3)
    await interrupted.save_state(tmp_path / "state")
    resumed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", RESUME, str(llama), str(tmp_path / "state"), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "12345"},
    )
    assert resumed.stdout.split() == ["6"]
    weights = [tmp_path / name / "model.safetensors" for name in ("expected", "out")]
    assert sha256_of_file(weights[0]) == sha256_of_file(weights[1])
