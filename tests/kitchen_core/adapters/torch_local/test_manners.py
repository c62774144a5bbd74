"""An adapter costs nothing before it is used, and keeps quiet when it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kitchen_core.train.types import AdamParams, LossSpec
from tests.contracts.data import DATUMS


async def test_nothing_is_written_to_the_users_screen(start, tmp_path: Path, capfd):
    session = await start()
    session.forward_backward(DATUMS, LossSpec())
    await session.optim_step(AdamParams(learning_rate=1e-2))
    await session.export(tmp_path / "final")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("module", ["torch_local", "local_files", "hugging_face", "memory"])
def test_an_adapter_is_light_to_import(module: str):
    heavy = "{'torch', 'transformers', 'peft', 'datasets', 'pyarrow', 'huggingface_hub'}"
    code = (
        f"import sys, kitchen_core.adapters.{module} as package; package.adapter; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
