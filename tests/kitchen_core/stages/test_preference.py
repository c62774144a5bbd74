"""The preference workflow in this process, on the in-memory model and on the tiny one."""

import pytest

from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflows import PreferenceConfig, preference
from tests.kitchen_core.stages.support import Connector, resolver
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

CONFIG = PreferenceConfig(
    max_steps=3,
    batch_size=8,
    learning_rate=1e-3,
    device="cpu",
    threads=1,
    lora_rank=0,
    save_every=0,
    eval_every=2,
    eval_examples=20,
    eval_samples=20,
    max_tokens=4,
    log_samples=2,
)


@pytest.fixture
def run(tmp_path):
    """Runs the workflow with a training client and changes to the config; gives the store, the run's id
    and its series.
    """
    store = fresh_store(tmp_path)

    async def execute(client, **changes):
        writer = start(store)
        ctx = context(writer, tmp_path, PreferenceConfig(**(CONFIG.model_dump() | changes)))
        ctx.connector = Connector(client)
        ctx.registry = writer
        ctx.resolver = resolver(writer)
        await Runner(preference, ctx).run()
        return store, writer.run_id, store.series(writer.run_id)

    yield execute
    store.close()


def values(series, name):
    return [value for _, value in series[name]]


async def test_every_step_and_every_evaluation_has_its_metrics(run):
    _, _, series = await run(MemoryTraining())
    assert [step for step, _ in series["dpo_loss"]] == [0, 1, 2]
    assert values(series, "dpo_loss")[0] == pytest.approx(0.6931471805599453)  # log 2
    assert values(series, "margin")[0] == values(series, "accuracy")[0] == 0
    assert [step for step, _ in series["test/dpo_loss"]] == [0, 2, 3]
    assert values(series, "num_pairs") == [8, 8, 8]


async def test_tiny(run):
    _, _, series = await run(TorchLocal(), learning_rate=1e-4)
    for name in sorted(series):
        print(name, series[name])
