"""What torch raises, in the words of the error family."""

from __future__ import annotations

import torch

from kitchen_core.train.ports.errors import InvalidRequest, PortError

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_LIMITED = " allowed; "
"""Of torch's message, where the process may not have the whole GPU: `8.00 GiB allowed; `."""
_HINT = (
    "Lower micro_batch_tokens (training) or sampling_batch_size (sampling), "
    "set gradient_checkpointing=true, or train with LoRA."
)


def translate(error: Exception) -> Exception:
    """A PortError for whatever went wrong; an OSError (a full disk, say) stays as it is."""
    if isinstance(error, OSError):
        return error
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in text.lower() for words in _OUT_OF_MEMORY
    ):
        first_line = text.splitlines()[0] if text else "no details"
        hint = _HINT
        if _LIMITED in text:
            hint = f"The run has a share of its GPU: give it more with --memory. Or: {_HINT}"
        return InvalidRequest(f"the device ran out of memory ({first_line})", hint=hint)
    return PortError(f"{type(error).__name__}: {text}")
