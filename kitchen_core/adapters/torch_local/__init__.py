"""Training and sampling on this machine with torch: any Hugging Face causal language model, whole or with LoRA.

Importing this package loads neither torch nor transformers; `warm_up` does.
"""

from __future__ import annotations

import importlib

from kitchen_core.adapters.torch_local.client import TorchLocal
from kitchen_core.train.ports.adapter import Adapter

adapter = Adapter(
    name="torch_local",
    summary="Train and sample on this machine (CPU or one GPU)",
    ports={"training_client": TorchLocal},
)


def warm_up() -> None:
    """Import what is slow, so that the first session starts at once."""
    for module in ("loading", "session"):
        importlib.import_module(f"{__name__}.{module}")
