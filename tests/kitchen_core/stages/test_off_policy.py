"""Reinforcement with rollouts that may be made ahead of their step, on the tiny model."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments import Outcome, register_environment
from kitchen_core.workflow.context import Interrupted
from kitchen_core.workflow.graph import AsyncLoopNode, LoopNode
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflows import ReinforcementConfig, reinforcement
from tests.kitchen_core.stages.support import resolver
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.policy import newest_checkpoint, next_writer
from tests.kitchen_core.workflow.support import context


@dataclass(frozen=True)
class Brevity:
    """An episode, a problem and an environment in which the shorter answer is the better one."""

    example: Conversation | None = None
    name: str = "brevity"
    tags: tuple[str, ...] = ("brevity",)
    question: str = "?"
    expected: str = ""
    where: str = "here"
    reward_weights: dict[str, float] = field(default_factory=dict)

    def group(self, example, grader):
        return replace(self, example=example)

    def make(self, count):
        return [self] * count

    async def group_rewards(self, trajectories):
        return [{} for _ in trajectories]

    def begin(self):
        assert self.example is not None
        return self.example.question

    async def step(self, answer):
        return Outcome({"brevity": -float(len(answer.message.content))})


register_environment(Brevity())

CONFIG = ReinforcementConfig(
    model="builtin:tiny-sl",
    env="brevity",
    max_steps=5,
    groups_per_batch=2,
    group_size=4,
    max_length=64,
    max_tokens=12,
    learning_rate=3e-3,
    lr_schedule="constant",
    loss="ppo",
    device="cpu",
    threads=1,
    lora_rank=0,
    save_every=0,
    eval_every=0,
)


@dataclass(frozen=True)
class Connector:
    """One training client; the environment of these tests asks nobody else."""

    client: TorchLocal

    def connect(self, port):
        return self.client if port == "training_client" else None


@pytest.fixture
def store(tmp_path):
    store = fresh_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def run(store, tmp_path):
    """Runs a workflow with settings; the hash of what it made, and its series by name."""

    async def execute(workflow=reinforcement, **settings):
        return await finished(store, tmp_path, start(store), settings, workflow)

    return execute


def run_context(store, home, writer, settings):
    ctx = context(writer, home, CONFIG.model_copy(update=settings))
    ctx.connector = Connector(TorchLocal())
    ctx.resolver = resolver(writer)
    return ctx


async def finished(store, home, writer, settings, workflow=reinforcement, checkpoint=None):
    await Runner(workflow, run_context(store, home, writer, settings)).run(checkpoint)
    (final,) = [a for a in store.list_artifacts(writer.run_id) if a.name == "final"]
    series = store.series(writer.run_id)
    return final.sha256, {name: [v for _, v in points] for name, points in series.items()}


def in_turn(node):
    """An async loop as a plain one that does everything in its turn."""
    if not isinstance(node, AsyncLoopNode):
        return node
    body = node.begin + node.producer + node.body
    return LoopNode(
        node.name, node.over, node.item, body, node.between, counts_steps=True, until=node.until
    )


async def test_without_a_lag_the_bytes_are_those_of_a_plain_loop(run):
    plain = replace(reinforcement, body=tuple(map(in_turn, reinforcement.body)))
    alone, series = await run(plain)
    sha256, same = await run()
    assert sha256 == alone
    for name in ("env/all/reward/total", "optim/grad_norm", "sampling_client/step_mean"):
        assert same[name] == series[name]
    assert same["sampling_client/step_mean"] == [0, 1, 2, 3, 4]


async def test_in_the_exact_mode_every_batch_is_sampled_as_far_behind_as_allowed(run):
    on_policy, without = await run()
    off_policy, behind = await run(max_steps_off_policy=2)
    again, _ = await run(max_steps_off_policy=2)
    assert behind["sampling_client/step_mean"] == [0, 0, 0, 1, 2]
    assert off_policy == again
    assert off_policy != on_policy
    drift = "optim/kl_sample_train_v2"
    assert max(without[drift]) < 1e-8  # the sampler is the trainer, but for rounding
    assert behind[drift][0] < 1e-8
    assert min(behind[drift][1:]) > 1e-6  # what the losses make up for by the sampler's logprobs


async def test_in_the_free_mode_no_batch_is_too_old_lost_or_doubled(run):
    _, series = await run(max_steps_off_policy=2, off_policy="free")
    stale = np.arange(5) - np.array(series["sampling_client/step_mean"])
    assert stale.min() >= 0
    assert stale.max() <= 2
    assert series["progress/batch"] == [0, 1, 2, 3, 4]
    assert series["env/all/total_episodes"] == [8] * 5


async def test_a_lag_is_counted_in_batches_whatever_optimizer_steps_they_take(run):
    _, series = await run(max_steps_off_policy=1, num_substeps=2)
    assert series["sampling_client/step_mean"] == [0, 0, 2, 4, 6]


@pytest.mark.parametrize("step", [1, 4])
async def test_a_run_that_is_stopped_off_policy_goes_on_with_what_was_sampled(
    run, store, tmp_path, step
):
    alone, series = await run(max_steps_off_policy=2)
    settings = {"max_steps_off_policy": 2}
    writer = start(store, "stopped")
    ctx = run_context(store, tmp_path, writer, settings)
    ctx.stop_asked = lambda: ctx.step == step
    with pytest.raises(Interrupted):
        await Runner(reinforcement, ctx).run()
    checkpoint = newest_checkpoint(store, writer.run_id)
    waiting = {path.stem for path in (checkpoint / "waiting").glob("0*.json")}
    assert waiting == {f"{i:06d}" for i in range(step, min(step + 2, 5))}
    again = next_writer(store, writer.run_id)
    resumed, rest = await finished(store, tmp_path, again, settings, checkpoint=checkpoint)
    assert resumed == alone
    assert rest["env/all/reward/total"] == series["env/all/reward/total"]
