"""A causal language model in two parts: the body reads tokens, the head gives logits.

Logits are by far the largest tensor of a pass, `[tokens, vocab]`. Taking the model apart lets us
compute them for few tokens at a time, and only where a prediction counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from kitchen_core.adapters.torch_local import attention
from kitchen_core.adapters.torch_local.device import autocast
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch, picked
from kitchen_core.train.packing import MicroBatchPlan
from kitchen_core.train.types import Datum

log = logging.getLogger(__name__)

Body = Callable[[MicroBatch], Tensor]
Head = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Parts:
    """body: a micro-batch to hidden states `[rows, seq, hidden]`. head: `[n, hidden]` to `[n, vocab]`.

    isolates: whether the model attends through `attention`, which packing needs. shares: whether
    packed documents may share their first tokens. pads: whether rows may be padded on the right.
    """

    body: Body
    head: Head
    vocab_size: int
    device: torch.device
    isolates: bool = False
    shares: bool = False
    pads: bool = True

    def hidden(self, batch: MicroBatch) -> Tensor:
        """The hidden states of all tokens, padding included: `[rows * seq, hidden]`."""
        apart = attention.isolated(batch.documents) if self.isolates else nullcontext()
        with apart, autocast(self.device):
            return self.body(batch).flatten(0, 1)

    def logits(self, hidden: Tensor) -> Tensor:
        """`[n, vocab]` from `[n, hidden]`."""
        with autocast(self.device):
            return self.head(hidden)


def causal_model(model: nn.Module) -> PreTrainedModel:
    """transformers' own model, below the adapter where it has one."""
    return cast(PreTrainedModel, model.get_base_model() if isinstance(model, PeftModel) else model)


def take_apart(model: nn.Module, device: torch.device) -> Parts:
    """Find body and head, and whether documents can be packed or padded. What does not give the
    model's own logits on a trial is not done: then the head is empty, the documents are padded, or
    each has a pass of its own.
    """
    causal = causal_model(model)
    whole = Parts(_whole_model(causal), _nothing, _vocab_size(causal), device)
    with torch.no_grad():
        expected = [_trial(whole, [tokens]) for tokens in _TRIALS]
        parts = _own_parts(causal, whole, expected) or whole
        parts = replace(parts, pads=_is_same_padded(parts, expected))
        if not attention.install(causal):
            return parts
        isolating = replace(parts, isolates=True)
        if _isolates(isolating, expected):
            return replace(isolating, shares=_shares(isolating, expected))
    attention.uninstall(causal)
    how = "padded side by side" if parts.pads else "computed one by one"
    log.info("this model's documents can't be packed; they are %s", how)
    return parts


def _own_parts(causal: PreTrainedModel, whole: Parts, expected: list[Tensor]) -> Parts | None:
    """The model's own body and head, where together they give its logits."""
    try:
        parts = replace(whole, body=_own_body(causal), head=_own_head(causal))
        found = [_trial(parts, [tokens]) for tokens in _TRIALS]
    except Exception:  # a model that is built in another way may fail in any
        return None
    return parts if all(map(alike, found, expected)) else None


def _is_same_padded(parts: Parts, expected: list[Tensor]) -> bool:
    """Whether a short document gets the same logits beside a longer one, with padding behind it."""
    try:
        rows = _trial(parts, list(_TRIALS[:2]), packed=False)
    except Exception:
        return False
    return alike(rows, torch.cat(expected[:2]))


def _isolates(parts: Parts, expected: list[Tensor]) -> bool:
    """Whether packed documents get the logits they get alone, whoever their neighbour is."""
    first, second, other = _TRIALS
    try:
        packed = _trial(parts, [first, second], packed=True)
        beside_other = _trial(parts, [other, second], packed=True)
    except Exception:
        return False
    untouched = alike(packed[len(first) :], beside_other[len(first) :], tolerance=1e-5)
    return untouched and alike(packed, torch.cat(expected[:2]))


def _shares(parts: Parts, expected: list[Tensor]) -> bool:
    """Whether a document gets its own logits where it begins with another's tokens, beside a third."""
    whole, _, other = _TRIALS
    branch = (*whole[:3], *other[:2])
    plan = MicroBatchPlan((0, 1, 2), packed=True, shared=(0, 3, 0))
    try:
        found = _tried(parts, [branch, whole, other], plan)
    except Exception:
        return False
    return alike(found[len(branch) :], torch.cat([expected[0], expected[2]]))


_TRIALS = ((1, 2, 3, 4, 5, 6, 7), (3, 1, 2, 1), (7, 5, 5, 2, 1, 4, 3))
"""Token ids that every vocabulary has; the first and the last are of one length."""


def _trial(parts: Parts, documents: list[tuple[int, ...]], *, packed: bool = False) -> Tensor:
    """As `_tried`, of documents that share nothing."""
    return _tried(parts, documents, MicroBatchPlan.of(range(len(documents)), packed=packed))


def _tried(parts: Parts, documents: list[tuple[int, ...]], plan: MicroBatchPlan) -> Tensor:
    """The logits of documents in one micro-batch, document after document: `[tokens, vocab]`."""
    arrays = [np.array(tokens) for tokens in documents]
    datums = [Datum(a, a, np.ones(len(a), np.float32)) for a in arrays]
    batch = MicroBatch.of(plan, [len(a) for a in arrays], datums, parts.device)
    return parts.logits(picked(parts.hidden(batch), batch.predictions(datums)))


def alike(found: Tensor, expected: Tensor, tolerance: float = 1e-4) -> bool:
    """Equal up to rounding, measured against the largest; bfloat16 rounds 2**16 times as coarsely."""
    if found.shape != expected.shape:
        return False
    if found.dtype.itemsize < 4:
        tolerance = min(500 * tolerance, 0.05)
    gap = (found - expected).abs().max()
    return bool(gap <= tolerance * expected.abs().max())


def _vocab_size(causal: PreTrainedModel) -> int:
    return causal.config.get_text_config(decoder=True).vocab_size


def _own_body(causal: PreTrainedModel) -> Body:
    base = causal.base_model
    return lambda batch: base(**_inputs(batch)).last_hidden_state


def _own_head(causal: PreTrainedModel) -> Head:
    """The output layer, and what the known models do after it."""
    head = cast(nn.Module, causal.get_output_embeddings())
    config = causal.config.get_text_config(decoder=True)
    scale = getattr(config, "logit_scale", None) or 1.0  # Cohere
    scale /= getattr(config, "logits_scaling", None) or 1.0  # Granite
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma

    def logits(hidden: Tensor) -> Tensor:
        found = head(hidden)
        found = found if scale == 1.0 else found * scale
        return found if cap is None else cap * torch.tanh(found / cap)

    return logits


def _whole_model(causal: PreTrainedModel) -> Body:
    return lambda batch: causal(**_inputs(batch)).logits


def _nothing(logits: Tensor) -> Tensor:
    return logits


def _inputs(batch: MicroBatch) -> dict[str, Any]:
    inputs: dict[str, Any] = {"input_ids": batch.tokens, "use_cache": False}
    if batch.positions is not None:
        # A mask, or transformers would look for documents by itself and wait for the device.
        ones = torch.ones_like(batch.tokens, dtype=torch.bool)
        inputs |= {"position_ids": batch.positions, "attention_mask": ones}
    return inputs
