"""The Hugging Face hub, or another that speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.hub import DatasetHub, ModelHub
from kitchen_core.train.ports.notices import Notify, nobody

if TYPE_CHECKING:
    from kitchen_core.adapters.hugging_face.access import Access

ENDPOINT = "https://huggingface.co"
TOKEN_ENV = "HF_TOKEN"


def _connect_models(
    secrets: Mapping[str, str],
    notify: Notify = nobody,
    endpoint: str = ENDPOINT,
    token_env: str = TOKEN_ENV,
    folder: str | None = None,
) -> ModelHub:
    from kitchen_core.adapters.hugging_face.models import HuggingFaceModels

    access = _access(secrets, endpoint, token_env)
    return HuggingFaceModels(access, _folder(folder, "models"), notify)


def _connect_datasets(
    secrets: Mapping[str, str],
    notify: Notify = nobody,
    endpoint: str = ENDPOINT,
    token_env: str = TOKEN_ENV,
    folder: str | None = None,
) -> DatasetHub:
    from kitchen_core.adapters.hugging_face.datasets import HuggingFaceDatasets

    access = _access(secrets, endpoint, token_env)
    return HuggingFaceDatasets(access, _folder(folder, "datasets"), notify)


def _access(secrets: Mapping[str, str], endpoint: str, token_env: str) -> Access:
    from kitchen_core.adapters.hugging_face.access import Access

    return Access(endpoint, secrets.get(token_env) or None, token_env)


def _folder(given: str | None, kind: str) -> Path:
    if given:
        return Path(given).expanduser()
    return platformdirs.user_cache_path("crucible-kitchen") / kind


def _kept_model(repo: str, revision: str | None, folder: str | None = None) -> Path | None:
    """The newest snapshot of a model, or that of a commit, whole or without its weights."""
    from kitchen_core.adapters.hugging_face.snapshots import COMMIT, Snapshots

    snapshots, parts = Snapshots(_folder(folder, "models") / repo), (None, "reading")
    named = revision if revision and COMMIT.fullmatch(revision) else None
    commit = named or snapshots.newest(parts)
    return None if commit is None else snapshots.find(commit, parts)


adapter = Adapter(
    name="hugging_face",
    summary="Models and datasets of the Hugging Face hub",
    ports={"model_hub": _connect_models, "dataset_hub": _connect_datasets},
    optional_secrets=("HF_TOKEN",),
    offline=False,
    notifies=True,
    kept_model=_kept_model,
    options={
        "endpoint": "The hub's address",
        "token_env": "The name of the secret that holds the access token",
        "folder": "Where what was fetched is kept",
    },
)
