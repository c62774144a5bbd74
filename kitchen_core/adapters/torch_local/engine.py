"""All that it takes to run one model: reading, training, decoding, and what it can read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.torch_local.decoding import Decoder
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.loading import LoadedModel
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.types import SessionSpec


@dataclass(frozen=True)
class Engine:
    """One model, ready to be run with the weights that it has at the time."""

    reader: Reader
    passes: Passes
    decoder: Decoder
    limits: Limits

    @classmethod
    def of(cls, loaded: LoadedModel, tokenizer: HuggingFaceTokenizer, spec: SessionSpec) -> Engine:
        """Run the model with the spec's batch sizes."""
        reader = Reader(
            loaded.parts,
            Flops.of(loaded.model),
            micro_batch_tokens=spec.micro_batch_tokens,
            packing=spec.packing,
        )
        decoder = Decoder(
            loaded.model,
            loaded.device,
            batch_size=spec.sampling_batch_size,
            max_length=loaded.limits.max_length,
            tokenizer=tokenizer,
        )
        return cls(reader, Passes(reader), decoder, loaded.limits)


Opened = Callable[[], AbstractContextManager[Engine]]
"""Opens a version of a model: in the context the engine runs with its weights."""
