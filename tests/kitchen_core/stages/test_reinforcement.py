"""The reinforcement workflow in this process, on the tiny model that sl_basic made."""

import json
import math

import numpy as np
import pytest
import torch

from benchmarks.reference import rl, sft
from kitchen_core import builtin
from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.stages.env_evaluation import standard_error
from kitchen_core.stages.rollouts import Rollout
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.environments import register_environment
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflows import ReinforcementConfig, reinforcement
from tests.kitchen_core.stages.problems import Asking, Registered, over
from tests.kitchen_core.stages.support import Connector, file_ref, resolver, with_other_tokens
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

CONFIG = ReinforcementConfig(
    model="builtin:tiny-sl",
    dataset="builtin:math",
    max_steps=3,
    groups_per_batch=4,
    group_size=4,
    learning_rate=1e-3,
    lr_schedule="constant",
    grad_clip_norm=0.0,
    device="cpu",
    threads=1,
    lora_rank=0,
    save_every=0,
    eval_every=2,
    eval_samples=20,
    max_length=64,
    max_tokens=8,
    log_samples=3,
)


def pose(answering):
    return lambda example: Asking(example.question.messages[-1].content, answering)


def breaks(turn, text):
    raise RuntimeError("the tool is gone")


register_environment(Registered("always_breaks", pose(breaks)))
register_environment(Registered("all_are_winners", pose(lambda turn, text: over(won=1.0))))


class Run:
    """What a run left behind."""

    def __init__(self, store, run_id, rollouts):
        self.store, self.run_id, self.rollouts = store, run_id, rollouts
        self.series = store.series(run_id)
        self.events = store.read_events(run_id=run_id)

    def values(self, name):
        return [value for _, value in self.series[name]]

    def steps(self, name):
        return [step for step, _ in self.series[name]]

    def samples(self, kind):
        logged = [event for event in self.events if event.kind is EventKind.SAMPLE_LOGGED]
        return [event for event in logged if event.metadata["kind"] == kind]

    @property
    def warnings(self):
        logs = [event for event in self.events if event.kind is EventKind.LOG]
        return [e.metadata["message"] for e in logs if e.metadata["level"] == "warning"]

    @property
    def final(self):
        return self.store.get_artifact(self.run_id, "final").sha256


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the workflow with changes to the config."""
    torch.set_num_threads(1)
    store = fresh_store(tmp_path)

    async def execute(client=None, checkpoint=None, **changes):
        kept = noting_rollouts(monkeypatch)
        writer = start(store)
        config = ReinforcementConfig(**{**CONFIG.model_dump(), **changes})
        ctx = context(writer, tmp_path, config)
        ctx.connector = Connector(client or TorchLocal())
        ctx.registry = writer
        ctx.resolver = resolver(writer)
        await Runner(reinforcement, ctx).run(checkpoint)
        return Run(store, writer.run_id, kept)

    yield execute
    store.close()


def noting_rollouts(monkeypatch):
    """The rollouts of the run to come, in order."""
    kept = []
    played = Rollout._groups

    async def noting(self, ctx, roller, batch):
        groups = await played(self, ctx, roller, batch)
        kept.append(groups)
        return groups

    monkeypatch.setattr(Rollout, "_groups", noting)
    return kept


async def test_every_step_and_every_evaluation_has_its_metrics(run):
    done = await run()
    assert done.steps("optim/kl_sample_train_v1") == [0, 1, 2]
    assert done.values("progress/batch") == [0, 1, 2]
    assert done.values("progress/done_frac") == pytest.approx([1 / 3, 2 / 3, 1])
    assert done.values("optim/lr") == pytest.approx([1e-3] * 3)
    assert done.values("sampling_client/step_mean") == [0, 1, 2]  # fresh after every step
    assert done.values("env/all/total_episodes") == [16] * 3
    assert done.steps("test/env/all/correct") == [0, 2, 3]
    assert done.steps("test/greedy/env/all/reward/total") == [0, 2, 3]
    shares, errors = done.values("test/env/all/correct"), done.values("test/env/all/correct_stderr")
    assert errors == pytest.approx([math.sqrt(p * (1 - p) / 20) for p in shares])
    assert done.warnings == []


async def test_a_reward_is_right_and_a_tenth_of_the_form(run):
    done = await run(max_steps=1)
    total, right, form = (
        done.values(f"env/all/{name}")[0] for name in ("reward/total", "correct", "format")
    )
    assert total == pytest.approx(right + 0.1 * (form - 1))


async def test_sampler_and_trainer_agree_on_policy(run):
    done = await run()
    assert done.values("optim/kl_sample_train_v1") == pytest.approx([0] * 3, abs=1e-5)
    assert done.values("optim/kl_sample_train_v2") == pytest.approx([0] * 3, abs=1e-9)
    assert all(value > 0 for value in done.values("optim/entropy"))


@pytest.mark.parametrize(
    ("loss", "flat"),
    [
        ("importance_sampling", rl.importance_sampling),
        ("ppo", rl.ppo(0.8, 1.2)),
        ("cispo", rl.cispo(0.0, 4.0)),
    ],
)
async def test_given_its_rollouts_the_steps_are_those_of_the_flat_script(run, tmp_path, loss, flat):
    done = await run(loss=loss, num_substeps=2, eval_every=0)
    (tmp_path / "rollouts.json").write_text(json.dumps([plain(groups) for groups in done.rollouts]))
    steps = list(
        rl.train(
            sft.load(builtin.model_folder("tiny-sl")),
            rl.read_rollouts(tmp_path / "rollouts.json"),
            CONFIG.learning_rate,
            loss=flat,
            substeps=2,
        )
    )
    for name, expected in (
        ("optim/kl_sample_train_v1", [step.kl_v1 for step in steps]),
        ("optim/kl_sample_train_v2", [step.kl_v2 for step in steps]),
        ("optim/entropy", [step.entropy for step in steps]),
    ):
        assert done.values(name) == pytest.approx(expected, abs=1e-5)
    assert max(done.values("optim/kl_sample_train_v2")) > 1e-4  # the second substep has strayed
    assert ("optim/clip_fraction" in done.series) == (loss != "importance_sampling")


def plain(groups):
    """A batch as the flat script reads it."""
    return [
        [
            {
                "turns": [
                    {
                        "prompt": turn.prompt,
                        "answer": turn.sample.tokens,
                        "logprobs": turn.sample.logprobs.tolist(),
                    }
                    for turn in episode.turns
                ],
                "reward": episode.reward(group.reward_weights),
            }
            for episode in group.trajectories
        ]
        for group in groups
    ]


async def test_the_same_seed_gives_the_same_model(run):
    one, same, other = await run(), await run(), await run(seed=1)
    assert one.final == same.final != other.final
    for name in set(one.series) - {n for n in one.series if n.startswith(("time/", "memory/"))}:
        assert one.series[name] == same.series[name], name


async def test_rollouts_can_be_read(run):
    done = await run(max_steps=1, eval_every=1)
    logged = done.samples("rollout")
    assert [(e.metadata["index"], e.metadata["group"]) for e in logged] == [(0, 0), (1, 0), (2, 1)]
    for event, (group, which) in zip(logged, [(0, 0), (0, 1), (1, 0)], strict=True):
        played = done.rollouts[0][group]
        told, episode = event.metadata, played.trajectories[which]
        (turn,) = told["turns"]
        assert [logprob for _, logprob in turn["tokens"]] == pytest.approx(
            episode.turns[0].sample.logprobs.tolist()
        )
        assert told["question"] == played.question
        assert told["question"] in turn["prompt"]
        assert (told["tags"], told["error"], told["version"]) == (["math"], None, 0)
        assert told["rewards"] == dict(episode.turns[0].rewards)
        reward = event.measurements["reward"]
        assert reward == pytest.approx(episode.reward(played.reward_weights))
        if len(set(played.rewards)) > 1:
            mean = np.mean(played.rewards)
            assert event.measurements["advantage"] == pytest.approx(reward - mean)


async def test_held_out_answers_come_with_what_they_earned(run):
    done = await run(max_steps=1)
    answers = done.samples("answer")
    assert [event.step for event in answers] == [0, 0, 0, 1, 1, 1]
    for event in answers:
        assert set(event.metadata["rewards"]) == {"correct", "format"}
        assert event.metadata["correct"] == (event.metadata["rewards"]["correct"] == 1)


async def test_a_batch_in_which_everything_broke_takes_no_step_and_says_so(run):
    done = await run(env="always_breaks")
    assert done.values("rollout_errors/RuntimeError") == [16] * 3
    assert done.values("rollout_errors/groups_skipped") == [4] * 3
    assert "optim/entropy" not in done.series
    assert done.values("progress/batch") == [0, 1, 2]
    assert done.values("sampling_client/step_max") == [0, 0, 0]
    assert done.values("test/env/all/reward/total") == [None] * 3  # nothing is known of it
    told = [message for message in done.warnings if message.startswith("batch")]
    assert told[0] == (
        "batch 0: none of 4 problems has two whole episodes to compare, so no step is taken; "
        "the first error: RuntimeError: the tool is gone"
    )
    assert len(told) == 3
    assert {e.metadata["error"] for e in done.samples("rollout")} == {
        "RuntimeError: the tool is gone"
    }


async def test_the_final_model_is_of_the_last_step_however_many_updates_a_step_has(run):
    done = await run(num_substeps=4, eval_every=0)
    assert done.store.get_artifact(done.run_id, "final").step == 3


async def test_where_all_groups_are_constant_the_first_is_kept(run):
    done = await run(env="all_are_winners", max_steps=1)
    assert done.values("groups/kept") == [1]
    assert done.values("groups/constant") == [3]
    assert done.values("env/all/by_group/frac_all_good") == [1]
    assert done.values("optim/grad_norm") == [0]


async def test_being_held_to_the_reference_shows(run):
    done = await run(kl_penalty_coef=0.1, num_substeps=4, kl_discount_factor=0.9)
    strayed = done.values("kl_policy_base")
    assert strayed[0] == pytest.approx(0, abs=1e-5)  # the policy is the reference yet
    assert strayed[-1] > 1e-4


async def test_another_model_can_be_the_reference(run):
    done = await run(kl_penalty_coef=0.1, kl_reference="builtin:tiny", max_steps=1)
    assert done.values("kl_policy_base")[0] > 0.01
    _, edges = done.store.graph(f"run:{done.run_id}")
    assert "kl_reference" in {edge.role for edge in edges}


async def test_a_reference_that_tokenizes_otherwise_is_refused(run, tmp_path):
    other = with_other_tokens(tmp_path / "other")
    with pytest.raises(StageFailed, match=r"the kl_reference file:.*other does not tokenize as"):
        await run(kl_penalty_coef=0.1, kl_reference=other, max_steps=1)


async def test_off_policy_batches_come_from_older_weights(run):
    done = await run(max_steps=4, max_steps_off_policy=2, eval_every=0)
    assert done.values("sampling_client/step_max") == [0, 0, 0, 1]
    again = await run(max_steps=4, max_steps_off_policy=2, eval_every=0)
    assert done.final == again.final


async def test_problems_of_another_set_are_mixed_in_with_their_own_environment(run, tmp_path):
    rows = [{"question": f"{n} + {n}?", "answer": str(2 * n)} for n in range(300)]
    ref = file_ref(tmp_path / "more.jsonl", rows)
    mix = {ref: {"share": 0.1, "env": "all_are_winners"}}
    done = await run(mix=mix, groups_per_batch=32, group_size=2, max_steps=1, eval_every=0)
    assert done.values("env/asking/reward/total") == [1]
    assert 0 < done.values("env/math/total_episodes")[0] < 64


async def test_a_prompt_without_room_is_left_out_with_a_warning(run, tmp_path):
    rows = [{"question": f"{'long ' * 40 * (n % 2)}{n} + 1?", "answer": "1"} for n in range(16)]
    ref = file_ref(tmp_path / "long.jsonl", rows)
    done = await run(dataset=ref, test_fraction=0, eval_every=0, max_steps=1)
    (told,) = (message for message in done.warnings if "left out" in message)
    assert "8 of 16 problems have a prompt of max_length=64 tokens or more" in told
    with pytest.raises(
        StageFailed, match="none of 16 problems has a prompt of less than max_length=4"
    ):
        await run(dataset=ref, test_fraction=0, eval_every=0, max_length=4)


async def test_a_weight_of_no_part_is_refused(run):
    with pytest.raises(
        StageFailed, match=r"'corect', .*: correct, format; did you mean 'correct'\?"
    ):
        await run(max_steps=1, eval_every=0, reward_weights={"corect": 2.0})


async def test_a_weight_weighs(run):
    done = await run(max_steps=1, eval_every=0, reward_weights={"correct": 3.0, "format": 0.0})
    total, right = (done.values(f"env/all/{n}")[0] for n in ("reward/total", "correct"))
    assert total == pytest.approx(3 * right)


async def test_plain_texts_pose_no_problem(run, tmp_path):
    ref = file_ref(tmp_path / "texts.jsonl", [{"text": "once"}] * 4)
    with pytest.raises(StageFailed, match=r"texts.jsonl row 1: a plain text, expected a question"):
        await run(dataset=ref, test_fraction=0, eval_every=0)


async def test_in_memory_doubles_run_it_too(run):
    done = await run(client=MemoryTraining(), model="builtin:tiny", max_length=128)
    assert done.values("progress/batch") == [0, 1, 2]


def test_the_error_of_a_mean_of_shares():
    assert standard_error([1, 0, 0, 0]) == pytest.approx(math.sqrt(0.25 * 0.75 / 4))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_substeps": 2, "resample_rounds": 1, "kl_penalty_coef": 0.1},
        {"max_steps_off_policy": 2, "loss": "ppo"},
    ],
    ids=["on policy", "off policy"],
)
async def test_a_run_resumed_in_the_middle_ends_with_the_same_model(run, changes):
    whole = await run(max_steps=4, save_every=2, eval_every=0, **changes)
    kept = whole.store.get_artifact(whole.run_id, "checkpoints/000002").path
    resumed = await run(checkpoint=kept, max_steps=4, save_every=2, eval_every=0, **changes)
    assert resumed.steps("progress/batch") == [2, 3]
    assert resumed.final == whole.final
    assert resumed.values("optim/entropy") == whole.values("optim/entropy")[2:]
