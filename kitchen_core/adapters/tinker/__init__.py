"""The Tinker service, or another server that speaks its protocol: models are trained and sampled there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kitchen_core.adapters.process_memory import peak_process_bytes
from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.checkpoints import Checkpoints
from kitchen_core.train.ports.notices import Notify
from kitchen_core.train.ports.training import TrainingClient
from kitchen_core.train.workload import Costs, Device, Workload

KEY = "TINKER_API_KEY"
PROCESS_BYTES = 480 * 2**20
"""A worker with the service's SDK in it."""


def _connect_training(
    secrets: Mapping[str, str],
    notify: Notify,
    base_url: str | None = None,
    base_model: str | None = None,
    project: str | None = None,
    train_unembed: bool = True,
    checkpoint_days: float = 7.0,
    timeout_s: float = 3600.0,
) -> TrainingClient:
    from kitchen_core.adapters.tinker.client import TinkerTraining
    from kitchen_core.adapters.tinker.service import Service

    service = Service(
        secrets.get(KEY) or None,
        base_url=base_url,
        project=project,
        timeout_s=timeout_s,
        notify=notify,
    )
    return TinkerTraining(
        service,
        base_model=base_model,
        train_unembed=train_unembed,
        checkpoint_days=checkpoint_days,
    )


def _connect_checkpoints(
    secrets: Mapping[str, str],
    notify: Notify,
    base_url: str | None = None,
    project: str | None = None,
    timeout_s: float = 3600.0,
) -> Checkpoints:
    from kitchen_core.adapters.tinker.checkpoints import TinkerCheckpoints
    from kitchen_core.adapters.tinker.service import Service

    service = Service(
        secrets.get(KEY) or None,
        base_url=base_url,
        project=project,
        timeout_s=timeout_s,
        notify=notify,
    )
    return TinkerCheckpoints(service)


def _check_config(config: Mapping[str, Any]) -> None:
    from kitchen_core.adapters.tinker.lora import check_config

    check_config(config)


def _costs(load: Workload, device: Device) -> Costs:
    """The model is at the service; here are a process and the data."""
    note = "the service trains: its memory and its time are not known here"
    return Costs({"process": PROCESS_BYTES}, None, None, (note,))


adapter = Adapter(
    name="tinker",
    summary="LoRA training and sampling at the Tinker service",
    ports={"training_client": _connect_training, "checkpoints": _connect_checkpoints},
    secrets=(KEY,),
    offline=False,
    notifies=True,
    own_retries=True,
    lora_only=True,
    check_config=_check_config,
    costs=_costs,
    peak_memory=lambda device: peak_process_bytes(),
    modules=("tinker",),
    extra="tinker",
    options={
        "base_url": "The server's address; left out: the hosted service",
        "base_model": "What the server calls the base model, where that is not its hub name",
        "project": "The project at the service that runs belong to",
        "train_unembed": "Whether all-linear adapters reach the output layer too",
        "checkpoint_days": "Days that the service keeps what a run needs to go on; the final model stays",
        "timeout_s": "Seconds to wait for one result before the run gives up",
    },
)
