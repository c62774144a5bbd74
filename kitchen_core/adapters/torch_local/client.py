"""The training client: starts sessions. Light to import; torch comes with the first session."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from kitchen_core.adapters.torch_local.sources import check_source
from kitchen_core.train.ports.errors import PortError
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


def warm_up() -> None:
    """Import torch and transformers, which takes seconds, so that the first session starts at once."""
    importlib.import_module("kitchen_core.adapters.torch_local.session")


def _load_tokenizer(source: ModelSource) -> HuggingFaceTokenizer:
    from kitchen_core.adapters.torch_local.quiet import quiet
    from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer

    try:
        with quiet():
            return HuggingFaceTokenizer(source.folder)
    except (PortError, OSError):
        raise
    except Exception as error:  # the libraries raise what they like for a file that is damaged
        raise PortError(
            f"{type(error).__name__}: {error}",
            port="training_client",
            adapter="torch_local",
            asked="tokenizer",
        ) from error
