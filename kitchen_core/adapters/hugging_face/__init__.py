"""The Hugging Face hub, or another that speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.hub import ModelHub


def _connect(
    secrets: Mapping[str, str],
    endpoint: str = "https://huggingface.co",
    token_env: str = "HF_TOKEN",
    folder: str | None = None,
) -> ModelHub:
    from kitchen_core.adapters.hugging_face.hub import HuggingFaceHub

    return HuggingFaceHub(
        endpoint=endpoint,
        token=secrets.get(token_env) or None,
        token_env=token_env,
        folder=Path(folder).expanduser() if folder else None,
    )


adapter = Adapter(
    name="hugging_face",
    summary="Models from the Hugging Face hub",
    ports={"model_hub": _connect},
    optional_secrets=("HF_TOKEN",),
    offline=False,
    options={
        "endpoint": "The hub's address",
        "token_env": "The name of the secret that holds the access token",
        "folder": "Where models are kept",
    },
)
