"""Versions of the trained weights, and how a model is run with another one than its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


@torch.no_grad()
def copy_of(parameters: Mapping[str, nn.Parameter]) -> Weights:
    """The parameters' present values, which later training leaves alone."""
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}


@contextmanager
def swapped(parameters: Mapping[str, nn.Parameter], weights: Weights) -> Iterator[None]:
    """Run the model with `weights` in place of its own. Nothing is copied: the tensors change places.

    Safe because a session does one thing at a time, and no graph outlives a call.
    """
    own = {name: parameter.data for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            parameter.data = weights[name]
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = own[name]
