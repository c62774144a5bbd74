"""The stored model is read back: what differs from the trained one is refused."""

from dataclasses import asdict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kitchen_core import builtin
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.stages.saving import CheckFinal, ExportDiffers, SaveFinal, mean_gap
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.best import Best
from kitchen_core.train.types import AdamParams, LoraSpec, LossSpec, ModelSource, SessionSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping
from kitchen_core.workflows import TrainingConfig
from tests.contracts.data import make_datum
from tests.kitchen_core.stages.support import Connector
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

DATUMS = [make_datum("What is 2 + 2?"), make_datum("44")]
TINY = ModelSource("builtin:tiny", builtin.model_folder("tiny"))


class Batches:
    def probe(self, count):
        return DATUMS[:count]

    @property
    def fingerprint(self):
        return "batches"


@pytest.fixture(params=[None, LoraSpec(4)], ids=["all weights", "adapter"])
async def trained(request, tmp_path):
    """A run's context with a session that has taken a step, and its store."""
    store = fresh_store(tmp_path)
    writer = start(store)
    ctx = context(writer, tmp_path, TrainingConfig())
    ctx.connector = Connector(TorchLocal())
    session = await TorchLocal().start_session(SessionSpec(TINY, request.param, seed=0))
    session.forward_backward(DATUMS, LossSpec())
    await session.optim_step(AdamParams(learning_rate=0.01))
    ctx.state.put("session", session, Keeping.REBUILT)
    ctx.state.put("batches", Batches(), Keeping.REBUILT)
    ctx.state.put("best", asdict(Best()), Keeping.DURABLE)
    yield ctx, store, writer.run_id
    store.close()


async def run(ctx, stage):
    await stage.run(StageContext(ctx, stage))


async def test_a_stored_model_that_is_the_trained_one_is_told(trained):
    ctx, store, run_id = trained
    await run(ctx, SaveFinal())
    await run(ctx, CheckFinal())
    (said,) = store.read_events(run_id=run_id, kinds=[EventKind.LOG])
    assert said.metadata["message"].startswith("read back, the stored model gives the trained one")


async def test_a_stored_model_with_other_weights_is_refused(trained):
    ctx, store, run_id = trained
    await run(ctx, SaveFinal())
    final = store.get_artifact(run_id, "final").path
    weights = next(final.glob("*.safetensors"))
    tensors = {name: np.zeros_like(tensor) for name, tensor in load_file(weights).items()}
    weights.chmod(0o644)
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ExportDiffers, match="the stored model is not the trained one"):
        await run(ctx, CheckFinal())


def test_the_gap_is_the_mean_over_tokens():
    assert mean_gap([np.zeros(1), np.zeros(3)], [np.ones(1), np.zeros(3)]) == 0.25
