"""What an adapter package says of itself, so that a manifest can name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from kitchen_core.train.workload import Costs, Device, Workload

PortName = Literal[
    "training_client",
    "checkpoints",
    "dataset_reader",
    "model_hub",
    "dataset_hub",
    "blob_store",
    "python_bridge",
    "llm",
]
PORTS: tuple[PortName, ...] = get_args(PortName)


@dataclass(frozen=True)
class Adapter:
    """One outside system behind one or more ports.

    ports: for each port that it serves, a factory that takes the manifest's options as keywords, with
    types that say what may be given; an adapter with `secrets` or `optional_secrets` also gets `secrets`,
    and one that `notifies` gets `notify: Notify`. secrets: environment names that it needs before it can
    work. offline: whether it works without a network; what computes elsewhere needs no device here.
    modules: what must be installed for it beside its own package; extra: its package's extra that
    brings them. own_retries: whether its SDK asks again by itself. lora_only: whether its training
    client trains low-rank adapters alone, never all weights. check_config: raises Unsupported for a run's
    config that its training client can't train by, as far as that can be seen before the run is launched,
    with nothing connected. costs: what a run trained by it takes of a device, None where nobody can tell.
    peak_memory: the most memory of a device, `cpu` or `cuda`, that this process has held so far, in bytes.
    kept_model: of a hub, the folder of a repository's model, or of what tells how it is built, where that is on
    this machine; given the repository, its revision and the option `folder`.

    What a factory gives may have `async def probe(self) -> str`, which looks whether the other side can be
    reached and says in a few words what it found, or raises a PortError.
    """

    name: str
    summary: str
    ports: Mapping[PortName, Callable[..., Any]]
    secrets: tuple[str, ...] = ()
    optional_secrets: tuple[str, ...] = ()
    offline: bool = True
    notifies: bool = False
    own_retries: bool = False
    lora_only: bool = False
    check_config: Callable[[Mapping[str, Any]], None] | None = None
    costs: Callable[[Workload, Device], Costs] | None = None
    peak_memory: Callable[[str], int] | None = None
    kept_model: Callable[..., Path | None] | None = None
    modules: tuple[str, ...] = ()
    extra: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """Each manifest option that it knows, with a line on what it does."""
