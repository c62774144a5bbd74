"""A hub with an open model, a gated one and a private one, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.models import HuggingFaceModels
from kitchen_core.train.ports.notices import Notify, nobody
from tests.doubles.hub import HubDouble, Repo, serve

Connect = Callable[..., HuggingFaceModels]
COMMIT = "a" * 40


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    (folder / "original").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (folder / name).write_text(f"content of {name}")
    for name in ("pytorch_model.bin", "training_args.bin", "README.md", "original/params.json"):
        (folder / name).write_text("unwanted")
    return folder


@pytest.fixture
def double(served: Path) -> Iterator[HubDouble]:
    repos = {
        "org/open": Repo(served),
        "org/gated": Repo(served, gated=True),
        "org/private": Repo(served, private=True),
    }
    with serve(HubDouble(repos=repos)) as hub:
        yield hub


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the clients keep what they fetch."""
    return tmp_path / "kept"


@pytest.fixture
def connect(double: HubDouble, kept: Path) -> Connect:
    """A client of the double with a token, all with one folder of models."""

    def connect_with(token: str | None = None, notify: Notify = nobody) -> HuggingFaceModels:
        return HuggingFaceModels(Access(double.endpoint, token, "MY_TOKEN"), kept, notify)

    return connect_with
