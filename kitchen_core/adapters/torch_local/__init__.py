"""Training and sampling on this machine with torch: any Hugging Face causal language model, whole or with LoRA.

Importing this package loads neither torch nor transformers; `warm_up` and `limit_memory` do.
"""

from __future__ import annotations

from kitchen_core.adapters.torch_local.client import (
    TorchLocal,
    limit_memory,
    peak_memory,
    warm_up,
)
from kitchen_core.adapters.torch_local.costs import costs
from kitchen_core.train.ports.adapter import Adapter

__all__ = ["TorchLocal", "adapter", "limit_memory", "warm_up"]

adapter = Adapter(
    name="torch_local",
    summary="Train and sample on this machine (CPU or one GPU)",
    ports={"training_client": TorchLocal},
    costs=costs,
    peak_memory=peak_memory,
)
