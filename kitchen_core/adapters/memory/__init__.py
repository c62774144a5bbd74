"""In-memory doubles of the ports: a bigram table that really learns, in a moment and without torch."""

from __future__ import annotations

from kitchen_core.adapters.memory.blobs import MemoryBlobs
from kitchen_core.adapters.memory.bridge import MemoryBridge
from kitchen_core.adapters.memory.checkpoints import MemoryCheckpoints
from kitchen_core.adapters.memory.datasets import MemoryDatasets
from kitchen_core.adapters.memory.hub import MemoryHub
from kitchen_core.adapters.memory.llm import MemoryLlm
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.train.ports.adapter import Adapter

adapter = Adapter(
    name="memory",
    summary="In-memory doubles for tests: a bigram model in numpy",
    ports={
        "training_client": MemoryTraining,
        "checkpoints": MemoryCheckpoints,
        "dataset_reader": MemoryDatasets,
        "model_hub": MemoryHub,
        "dataset_hub": MemoryHub,
        "blob_store": MemoryBlobs,
        "python_bridge": MemoryBridge,
        "llm": MemoryLlm,
    },
)
