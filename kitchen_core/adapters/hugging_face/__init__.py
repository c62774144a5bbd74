"""The Hugging Face hub, or another that speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.hub import DatasetHub, ModelHub

if TYPE_CHECKING:
    from kitchen_core.adapters.hugging_face.repositories import Access

ENDPOINT = "https://huggingface.co"
TOKEN_ENV = "HF_TOKEN"


def _connect_models(
    secrets: Mapping[str, str],
    endpoint: str = ENDPOINT,
    token_env: str = TOKEN_ENV,
    folder: str | None = None,
) -> ModelHub:
    from kitchen_core.adapters.hugging_face.models import HuggingFaceModels

    return HuggingFaceModels(_access(secrets, endpoint, token_env), _folder(folder, "models"))


def _connect_datasets(
    secrets: Mapping[str, str],
    endpoint: str = ENDPOINT,
    token_env: str = TOKEN_ENV,
    folder: str | None = None,
) -> DatasetHub:
    from kitchen_core.adapters.hugging_face.datasets import HuggingFaceDatasets

    return HuggingFaceDatasets(_access(secrets, endpoint, token_env), _folder(folder, "datasets"))


def _access(secrets: Mapping[str, str], endpoint: str, token_env: str) -> Access:
    from kitchen_core.adapters.hugging_face.repositories import Access

    return Access(endpoint, secrets.get(token_env) or None, token_env)


def _folder(given: str | None, kind: str) -> Path:
    if given:
        return Path(given).expanduser()
    return platformdirs.user_cache_path("crucible-kitchen") / kind


adapter = Adapter(
    name="hugging_face",
    summary="Models and datasets from the Hugging Face hub",
    ports={"model_hub": _connect_models, "dataset_hub": _connect_datasets},
    optional_secrets=("HF_TOKEN",),
    offline=False,
    options={
        "endpoint": "The hub's address",
        "token_env": "The name of the secret that holds the access token",
        "folder": "Where what was fetched is kept",
    },
)
