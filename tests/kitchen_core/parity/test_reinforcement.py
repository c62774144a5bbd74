"""The kitchen in the steps of tinker-cookbook's reinforcement learning: from the same rollouts the same
advantages, sequences, penalties, metrics and steps.

`tests/fixtures/parity/reinforcement` holds what the cookbook did over a Tinker server with the rollouts in
it, and the script that recorded it. The model is the one of the supervised recording.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.reference import rl, sft
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.stages.substeps import split
from kitchen_core.train.kl import kl_sample_train
from kitchen_core.train.rl.advantages import compute_advantages
from kitchen_core.train.rl.assembly import assemble
from kitchen_core.train.rl.discounting import discounted_sums
from kitchen_core.train.rl.groups import sort_groups
from kitchen_core.train.rl.metrics import episode_metrics
from kitchen_core.train.rl.penalty import kl_penalty, whole_sequence
from kitchen_core.train.rl.policy_loss import policy_loss
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import AdamParams, LoraSpec, ModelSource, Sample, SessionSpec

PARITY = Path(__file__).parents[2] / "fixtures" / "parity"
BASE, LORA = PARITY / "supervised" / "base", PARITY / "supervised" / "lora"
RECORDED = json.loads((PARITY / "reinforcement" / "recorded.json").read_text(encoding="utf-8"))
SETTINGS, BATCHES, LOSSES = RECORDED["settings"], RECORDED["batches"], RECORDED["losses"]

each_batch = pytest.mark.parametrize("recorded", BATCHES)
each_loss = pytest.mark.parametrize("loss", LOSSES)


def groups_of(recorded):
    """The recorded groups as the kitchen's."""
    return [
        TrajectoryGroup(
            tuple(
                Trajectory(
                    tuple(turn_of(turn) for turn in episode["turns"]),
                    version=0,
                    group_rewards={"at_end": episode["reward_at_end"]},
                )
                for episode in group["episodes"]
            ),
            tags=tuple(group["tags"]),
            where="",
            question="",
        )
        for group in recorded["groups"]
    ]


def turn_of(turn):
    sample = Sample(turn["answer"], np.array(turn["logprobs"], np.float32), "length")
    return Turn(turn["prompt"], sample, {"earned": turn["reward"]}, turn["metrics"])


def assembled(groups):
    return assemble(groups, [compute_advantages(group, "group_mean") for group in groups])


def test_the_recording_has_every_kind_of_episode():
    for recorded in BATCHES:
        lengths = [[len(e["turns"]) for e in g["episodes"]] for g in recorded["groups"]]
        assert lengths == [[1] * 4, [1] * 4, [2] * 4, [1] * 4]
        per_episode = [recorded["origins"].count([2, i]) for i in range(4)]
        assert per_episode == [1, 2, 1, 2]  # gone on from the first turn, and begun anew
        assert recorded["kept"] == [0, 1, 2]  # the last group is constant


@each_batch
def test_advantages_are_those_of_the_cookbook(recorded):
    for group, expected in zip(groups_of(recorded), recorded["advantages"], strict=True):
        for of_turns, advantage in zip(
            compute_advantages(group, "group_mean"), expected, strict=True
        ):
            assert of_turns == pytest.approx([advantage] * len(of_turns), abs=1e-6)


@each_batch
def test_episodes_become_the_sequences_of_the_cookbook(recorded):
    made = assembled(groups_of(recorded))
    assert [[origin.group, origin.episode] for origin in made.origins] == recorded["origins"]
    for ours, theirs in zip(made.datums, recorded["datums"], strict=True):
        assert ours.tokens.tolist() == theirs["tokens"]
        assert ours.targets.tolist() == theirs["target_tokens"]
        assert ours.weights.tolist() == theirs["mask"]
        assert ours.extra["logprobs"] == pytest.approx(theirs["logprobs"], abs=1e-6)
        assert ours.extra["advantages"] == pytest.approx(theirs["advantages"], abs=1e-6)


@each_batch
def test_metrics_are_those_of_the_cookbook(recorded):
    ours, theirs = episode_metrics(groups_of(recorded)), recorded["metrics"]
    parts = {name for name in ours if "/reward/" in name and not name.endswith("/total")}
    # a tag that picks every group tells nothing apart, but the cookbook logs it beside others
    assert ours.keys() - parts == theirs.keys()
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


@each_batch
def test_constant_groups_are_left_out_as_in_the_cookbook(recorded):
    groups = groups_of(recorded)
    kept = sort_groups(groups, remove_constant=True).kept
    assert [groups.index(group) for group in kept] == recorded["kept"]


@each_batch
def test_penalties_are_those_of_the_cookbook(recorded):
    for penalty in recorded["penalties"]:
        reference = [np.array(each, np.float32) for each in penalty["reference"]]
        datums, strayed = kl_penalty(
            assembled(groups_of(recorded)).datums, reference, penalty["coef"], penalty["discount"]
        )
        assert strayed == pytest.approx(penalty["metrics"]["kl_policy_base"], abs=1e-6)
        for datum, expected in zip(datums, penalty["advantages"], strict=True):
            assert datum.extra["advantages"] == pytest.approx(expected, abs=1e-5)


def test_batches_are_split_as_in_the_cookbook():
    for count, parts, sizes in RECORDED["split_list"]:
        assert [len(part) for part in split(range(count), parts)] == sizes


def test_discounted_sums_are_those_of_the_cookbook():
    assert discounted_sums(np.array([1.0, -2.0, 3.0]), 0.5).tolist() == RECORDED["discounted"]


@pytest.fixture
async def session():
    lora = LoraSpec(SETTINGS["lora"]["rank"], SETTINGS["lora"]["alpha"])
    source = ModelSource("base", BASE, LORA)
    started = await TorchLocal().start_session(SessionSpec(source, lora, seed=0))
    yield started
    await started.close()


async def test_the_reference_scores_as_the_server_does(session):
    datums = assembled(groups_of(BATCHES[0])).datums
    base = await TorchLocal().start_session(SessionSpec(ModelSource("base", BASE), None, seed=0))
    scored = await base.reference().compute_logprobs([whole_sequence(d).tolist() for d in datums])
    await base.close()
    for ours, theirs in zip(scored, BATCHES[0]["penalties"][0]["reference"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


@each_loss
async def test_three_steps_give_the_numbers_of_the_cookbook(session, loss):
    options = SETTINGS["losses"][loss]
    spec = policy_loss(loss, options.get("clip_low_threshold"), options.get("clip_high_threshold"))
    adam = AdamParams(SETTINGS["learning_rate"], **SETTINGS["adam"])
    for recorded, expected in zip(BATCHES, LOSSES[loss], strict=True):
        kept = sort_groups(groups_of(recorded), remove_constant=True).kept
        parts = split(assembled(kept).datums, SETTINGS["substeps"])
        handles = []
        for part in parts:
            weighed = [as_the_server_weighs(datum, len(part)) for datum in part]
            handles.append(session.forward_backward(weighed, spec))
            session.optim_step(adam)
        results = [await handle for handle in handles]
        datums = [datum for part in parts for datum in part]
        logprobs = [row for result in results for row in result.logprobs]
        said = [datum.weights > 0 for datum in datums]
        for ours, theirs, where in zip(logprobs, expected["logprobs"], said, strict=True):
            assert ours[where] == pytest.approx(np.array(theirs)[where], abs=1e-4)
        sampler = [d.extra["logprobs"][where] for d, where in zip(datums, said, strict=True)]
        trainer = [row[where] for row, where in zip(logprobs, said, strict=True)]
        kl, metrics = kl_sample_train(sampler, trainer), expected["metrics"]
        assert kl.v1 == pytest.approx(metrics["optim/kl_sample_train_v1"], abs=1e-4)
        assert kl.v2 == pytest.approx(metrics["optim/kl_sample_train_v2"], abs=1e-4)
        entropy = -float(np.concatenate(sampler).mean())
        assert entropy == pytest.approx(metrics["optim/entropy"], abs=1e-5)


def as_the_server_weighs(datum, count):
    """SkyRL's gradient is the mean over sequences of each one's mean over its tokens, the prompt's too."""
    return replace(datum, weights=datum.weights / (len(datum) * count))


@each_loss
def test_the_flat_script_gives_them_too(loss, tmp_path):
    batches = [
        [
            [
                {
                    "turns": e["turns"],
                    "reward": sum(t["reward"] for t in e["turns"]) + e["reward_at_end"],
                }
                for e in group["episodes"]
            ]
            for group in recorded["groups"]
        ]
        for recorded in BATCHES
    ]
    (tmp_path / "rollouts.json").write_text(json.dumps(batches))
    steps = rl.train(
        sft.load(BASE, LORA),
        rl.read_rollouts(tmp_path / "rollouts.json"),
        SETTINGS["learning_rate"],
        loss=flat_loss(loss),
        substeps=SETTINGS["substeps"],
        scale=lambda sequence, count: 1 / ((len(sequence.tokens) - 1) * count),
    )
    for step, expected in zip(steps, LOSSES[loss], strict=True):
        metrics = expected["metrics"]
        assert step.kl_v1 == pytest.approx(metrics["optim/kl_sample_train_v1"], abs=1e-4)
        assert step.kl_v2 == pytest.approx(metrics["optim/kl_sample_train_v2"], abs=1e-4)
        assert step.entropy == pytest.approx(metrics["optim/entropy"], abs=1e-5)
        assert step.losses == pytest.approx(expected["loss_sum"], rel=1e-4, abs=1e-4)


def flat_loss(name):
    bounds = list(SETTINGS["losses"][name].values())
    return {"ppo": rl.ppo, "cispo": rl.cispo}[name](*bounds) if bounds else rl.importance_sampling


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
