"""What a model source must be, looked at before anything slow happens. Light to import."""

from __future__ import annotations

from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import ModelSource


def check_source(source: ModelSource, *, weights: bool = True) -> None:
    """Raises NotFound or InvalidRequest where it can't be loaded. weights: else its tokenizer alone
    is to be.
    """
    base = inspect_model_folder(source.folder, weights=weights)
    if base.adapter_of is not None:
        raise InvalidRequest(
            f"{source.folder} is an adapter of {base.adapter_of}, not a whole model",
            hint="Give the base model as the model and this folder as its adapter.",
        )
    if source.adapter is None:
        return
    if inspect_model_folder(source.adapter, weights=weights).adapter_of is None:
        raise InvalidRequest(
            f"{source.adapter} is a whole model, not an adapter",
            hint="Give it as the model itself, without an adapter.",
        )
