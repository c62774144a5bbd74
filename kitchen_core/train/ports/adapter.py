"""What an adapter package says of itself, so that a manifest can name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

PortName = Literal[
    "training_client", "dataset_reader", "model_hub", "dataset_hub", "python_bridge", "llm"
]
PORTS: tuple[PortName, ...] = get_args(PortName)


@dataclass(frozen=True)
class Adapter:
    """One outside system behind one or more ports.

    ports: for each port that it serves, a factory that takes the manifest's options as keywords.
    secrets: environment names that it needs before it can work. offline: whether it works without a
    network.
    """

    name: str
    summary: str
    ports: Mapping[PortName, Callable[..., Any]]
    secrets: tuple[str, ...] = ()
    optional_secrets: tuple[str, ...] = ()
    offline: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    """Each manifest option that it knows, with a line on what it does."""
