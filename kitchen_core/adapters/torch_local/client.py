"""The training client: starts sessions. Light to import; torch comes with the first session."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from kitchen_core.adapters.torch_local.costs.memory import PROCESS_BYTES
from kitchen_core.adapters.torch_local.sources import check_source
from kitchen_core.train.ports.errors import Unavailable
from kitchen_core.train.types import ModelSource, SessionSpec

if TYPE_CHECKING:
    from kitchen_core.adapters.torch_local.session import TorchSession
    from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer


class TorchLocal:
    """Training sessions on this machine's CPU or GPU."""

    reads_weights = True

    async def start_session(self, spec: SessionSpec) -> TorchSession:
        """Load the model. Raises NotFound, InvalidRequest or Unsupported, each with a hint."""
        await asyncio.to_thread(check_source, spec.model)
        await asyncio.to_thread(warm_up)
        from kitchen_core.adapters.torch_local.session import TorchSession

        return await TorchSession.start(spec)

    async def tokenizer(self, source: ModelSource) -> HuggingFaceTokenizer:
        """The tokenizer that a session on this model has, without loading its weights."""
        await asyncio.to_thread(check_source, source, weights=False)
        return await asyncio.to_thread(_load_tokenizer, source)

    async def probe(self) -> str:
        """The device that would be trained on, and which torch. Raises Unavailable where torch can't be
        loaded.
        """
        return await asyncio.to_thread(_in_words)


def warm_up() -> None:
    """Import torch and transformers, which takes seconds, so that the first session starts at once."""
    importlib.import_module("kitchen_core.adapters.torch_local.session")


def limit_memory(bytes_each: int) -> None:
    """Let this process take no more of each GPU that it sees; what goes beyond is out of memory. It starts CUDA, whose
    own part is in it, as it is in a quote. Without a usable GPU nothing happens; a session says so.
    """
    import torch

    for_torch = max(0, bytes_each - PROCESS_BYTES["cuda"])
    if not torch.cuda.is_available():
        return
    for index in range(torch.cuda.device_count()):
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, for_torch / total), index)


def peak_memory(device: str) -> int:
    """The most memory of the device that this process has held so far, in bytes."""
    from kitchen_core.adapters.torch_local.device import peak_memory_taken

    return peak_memory_taken(device)


def _in_words() -> str:
    try:
        import torch

        from kitchen_core.adapters.torch_local.device import device_facts
    except (ImportError, OSError) as error:
        raise Unavailable(
            f"torch can't be loaded: {error}",
            port="training_client",
            adapter="torch_local",
            hint="Install torch again.",
        ) from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    facts = device_facts(device)
    memory = f"{(facts.memory_bytes or 0) / 1024**3:.0f} GiB"
    return f"{device.type.upper()} {facts.name}, {memory}, torch {torch.__version__}"


def _load_tokenizer(source: ModelSource) -> HuggingFaceTokenizer:
    from kitchen_core.adapters.torch_local.quiet import quiet
    from kitchen_core.adapters.transformers_tokenizer import load_tokenizer

    with quiet():
        return load_tokenizer(source.folder, "torch_local")
