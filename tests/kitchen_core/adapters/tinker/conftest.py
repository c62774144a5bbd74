"""A Tinker service on loopback and sessions at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen_core.adapters.tinker.client import TinkerTraining
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.types import LoraSpec, ModelSource, SessionSpec
from tests.contracts.models import make_llama
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

BASE = "org/tiny"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make_llama(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(scope="module")
def served(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with serve_tinker(TinkerDouble(client=TorchLocal(), bases={BASE: base}, folder=folder)) as it:
        yield it


@pytest.fixture
def double(served):
    yield served
    served.faults.clear()


@pytest.fixture
def spec(base):
    return SessionSpec(ModelSource(BASE, base), LoraSpec(4), seed=7)


@pytest.fixture
def notices():
    return []


@pytest.fixture
async def training(double, notices):
    service = Service(
        KEY, base_url=double.base_url, project=None, timeout_s=30, notify=notices.append
    )
    made = TinkerTraining(service)
    yield made
    await made.close()
