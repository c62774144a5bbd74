"""Episodes as they are played: turn by turn, all together, whatever an environment does."""

import asyncio
import json
import math

import numpy as np
import pytest

from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.memory.tokenizer import ByteTokenizer
from kitchen_core.builtin import model_folder
from kitchen_core.stages.problems import ProblemBatch
from kitchen_core.stages.roller import Roller
from kitchen_core.stages.rollouts import Rollout
from kitchen_core.train import rng
from kitchen_core.train.environments import Outcome
from kitchen_core.train.ports.errors import NotFound
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.rl.records import group_to_plain
from kitchen_core.train.types import ModelSource, SessionSpec
from kitchen_core.workflow.context import Interrupted, StageContext
from kitchen_core.workflow.stage import Keeping
from kitchen_core.workflows import ReinforcementConfig
from tests.kitchen_core.stages.problems import Asking, Saying, goes_on, over
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

CONFIG = ReinforcementConfig(group_size=2, max_length=64, max_tokens=16, eval_every=0)
NAMES = ("rollout", 0)


@pytest.fixture
def staged(tmp_path):
    """A stage context of Rollout with a config; `run` is the whole run's."""
    store = fresh_store(tmp_path)

    def make(config=CONFIG, **state):
        run = context(start(store), tmp_path, config)
        state = {"renderer": get_renderer("template", ByteTokenizer()), **state}
        for key, value in state.items():
            run.state.put(key, value, Keeping.REBUILT)
        return StageContext(run, Rollout())

    yield make
    store.close()


def says(turn, text):
    return over(length=len(text))


def text_of(tokens):
    return ByteTokenizer().decode(tokens)


async def test_all_copies_of_a_problem_are_asked_for_at_once(staged):
    sampler = Saying("a", "bb", "ccc", "d")
    problems = [Asking("x?", says), Asking("why?", says)]
    first, second = await Roller(staged(), sampler).roll_out(problems, 2, NAMES)
    ((prompts, copies, params),) = sampler.calls
    assert [text_of(prompt) for prompt in prompts] == [
        "<user>x?<eos><assistant>",
        "<user>why?<eos><assistant>",
    ]
    assert copies == 2
    assert (params.max_tokens, params.temperature) == (16, 1.0)
    assert params.seed == rng.seed_for(0, "rollout", 0, 0)
    assert first.rewards == [1, 2]
    assert second.rewards == [3, 1]
    assert {each.version for each in first.trajectories} == {3}
    assert (second.question, second.where, second.tags) == ("why?", "row why?", ("asking",))


async def test_live_episodes_go_on_together(staged):
    def until_yes(turn, text):
        return over(won=1.0) if text == "yes" else goes_on("sure?", asked=0.25)

    sampler = Saying("no", "yes", "no", "yes")
    (group,) = await Roller(staged(), sampler).roll_out([Asking("x?", until_yes)], 2, NAMES)
    long, short = group.trajectories
    assert [len(prompts) for prompts, _, _ in sampler.calls] == [1, 1, 1]
    assert [text_of(turn.sample.tokens) for turn in long.turns] == [
        "no<eos>",
        "no<eos>",
        "yes<eos>",
    ]
    assert text_of(long.turns[1].prompt) == (
        "<user>x?<eos><assistant>no<eos><user>sure?<eos><assistant>"
    )
    assert [turn.told for turn in long.turns] == ["sure?", "sure?", ""]
    assert group.rewards == [1.5, 1.0]
    assert len(short.turns) == 1
    seeds = [params.seed for _, _, params in sampler.calls]
    assert seeds == [rng.seed_for(0, "rollout", 0, turn) for turn in range(3)]


async def test_an_episode_ends_after_max_turns(staged):
    config = CONFIG.model_copy(update={"max_turns": 2})
    sampler = Saying("a", "b", "c", "d")
    asking = Asking("x?", lambda turn, text: goes_on("more", kept=1.0))
    (group,) = await Roller(staged(config), sampler).roll_out([asking], 2, NAMES)
    assert [len(each.turns) for each in group.trajectories] == [2, 2]
    assert group.rewards == [2.0, 2.0]


async def test_an_episode_ends_where_no_room_is_left(staged):
    config = CONFIG.model_copy(update={"max_length": 16})
    # the prompt is 5 tokens ("<user>x?<eos><assistant>"), so the answer has room for 11
    sampler = Saying("a" * 30, "b")
    asking = Asking("x?", lambda turn, text: goes_on("much more"))
    (group,) = await Roller(staged(config), sampler).roll_out([asking], 2, NAMES)
    cut, short = group.trajectories
    assert (len(cut.turns), len(cut.turns[0].sample.tokens)) == (1, 11)
    assert cut.turns[0].sample.stop_reason == "length"
    assert len(short.turns) == 1  # with what it is told next it would be 19 tokens
    assert sampler.calls[0][2].max_tokens == 11


async def test_a_bad_step_breaks_its_episode_alone(staged):
    def fails(turn, text):
        if text == "bad":
            raise RuntimeError("the tool is gone")
        return over(won=1.0)

    (group,) = await Roller(staged(), Saying("bad", "ok")).roll_out([Asking("x?", fails)], 2, NAMES)
    broken, whole = group.trajectories
    assert broken.error == "RuntimeError: the tool is gone"
    assert text_of(broken.turns[0].sample.tokens) == "bad<eos>"  # kept, for people
    assert (group.whole, group.rewards) == ((whole,), [1.0])


@pytest.mark.parametrize("worth", [float("nan"), float("inf"), "much"])
async def test_a_reward_that_is_no_number_breaks_its_episode(staged, worth):
    """Else the advantages of its group would be none either, and the weights after the step."""

    def judged(turn, text):
        return over(won=worth if text == "odd" else 1.0)

    asking = Asking("x?", judged)
    (group,) = await Roller(staged(), Saying("odd", "ok")).roll_out([asking], 2, NAMES)
    broken, _ = group.trajectories
    assert broken.error is not None
    assert broken.error.startswith("ValueError: won is ")
    assert group.rewards == [1.0]


async def test_a_reward_of_the_groups_end_that_is_no_number_breaks_the_group(staged):
    asking = Asking("x?", says, compare=lambda those: [{"share": math.nan} for _ in those])
    (group,) = await Roller(staged(), Saying("a", "b")).roll_out([asking], 2, NAMES)
    assert group.whole == ()


async def test_numbers_of_other_kinds_are_kept_as_plain_ones(staged):
    """A checkpoint of off-policy training has them as JSON."""

    def judged(turn, text):
        return Outcome({"won": np.float32(0.5), "right": True}, {"tries": np.int64(2)})

    (group,) = await Roller(staged(), Saying("a", "b")).roll_out([Asking("x?", judged)], 2, NAMES)
    assert group.rewards == [1.5, 1.5]
    plain = json.loads(json.dumps(group_to_plain(group)))
    assert plain["trajectories"][0]["turns"][0]["metrics"] == {"tries": 2.0}


async def test_a_verifier_that_is_not_there_is_no_bad_step(staged):
    """Else the answers that need it would be left out, and the run would go on with the others."""

    def fails(turn, text):
        raise NotFound("there is no function 'math_verify.verify'")

    with pytest.raises(NotFound):
        await Roller(staged(), Saying("a", "b")).roll_out([Asking("x?", fails)], 2, NAMES)


async def test_a_question_without_room_for_an_answer_breaks_its_episodes(staged):
    sampler = Saying()
    (group,) = await Roller(staged(), sampler).roll_out([Asking("x" * 80, says)], 2, NAMES)
    assert sampler.calls == []
    assert [each.error for each in group.trajectories] == [
        "ValueError: the question leaves no room for an answer"
    ] * 2


async def test_rewards_of_the_groups_end_belong_to_whole_episodes(staged):
    def fails(turn, text):
        return 1 / 0 if text == "bad" else over(won=1.0)

    asking = Asking("x?", fails, compare=lambda those: [{"share": 1 / len(those)} for _ in those])
    config = CONFIG.model_copy(update={"group_size": 3, "reward_weights": {"share": 10.0}})
    (group,) = await Roller(staged(config), Saying("bad", "a", "b")).roll_out([asking], 3, NAMES)
    assert group.rewards == [6.0, 6.0]


async def test_where_comparing_fails_the_whole_group_is_broken(staged):
    asking = Asking("x?", says, compare=lambda those: [{}])
    (group,) = await Roller(staged(), Saying("a", "b")).roll_out([asking], 2, NAMES)
    assert group.whole == ()
    assert all(each.error and each.error.startswith("ValueError") for each in group.trajectories)


@pytest.mark.parametrize(
    "ended_by", [Interrupted(None), asyncio.CancelledError(), KeyboardInterrupt()]
)
def test_being_asked_to_stop_is_no_bad_step(staged, ended_by):
    def stops(turn, text):
        raise ended_by

    with pytest.raises(type(ended_by)):
        asyncio.run(Roller(staged(), Saying("a", "b")).roll_out([Asking("x?", stops)], 2, NAMES))


async def test_a_run_that_is_asked_to_stop_stops_between_turns(staged):
    sampler = Saying("a", "b", "c", "d")
    ctx = staged()

    def stop(turn, text):
        ctx.run.stop_asked = lambda: True
        return goes_on("more")

    with pytest.raises(Interrupted):
        await Roller(ctx, sampler).roll_out([Asking("x?", stop)], 2, NAMES)
    assert len(sampler.calls) == 1


class Batches:
    """Further problems of a run, in a fixed order."""

    def __init__(self, *problems):
        self._problems = problems

    def further(self, index, start, count):
        return list(self._problems[start : start + count])


async def rolled(ctx):
    await Rollout().run(ctx)
    return ctx.state["rollouts"]


async def test_further_problems_are_tried_in_place_of_constant_ones(staged):
    config = CONFIG.model_copy(update={"resample_rounds": 3})
    dull, lively = Asking("dull", lambda *_: over(won=1.0)), Asking("lively", says)
    sampler = Saying("a", "bb", "a", "b", "a", "b", "a", "bb")
    ctx = staged(
        config,
        policy=sampler,
        batch=ProblemBatch(5, [lively, dull], epoch=0),
        batches=Batches(dull, lively, lively),
    )
    rollouts = await rolled(ctx)
    assert [group.question for group in rollouts.groups] == ["lively", "dull", "dull", "lively"]
    assert [params.seed for _, _, params in sampler.calls] == [
        rng.seed_for(0, "rollout", 5, 0),
        rng.seed_for(0, "rollout", 5, "further", 0, 0),
        rng.seed_for(0, "rollout", 5, "further", 1, 0),
    ]


async def test_nothing_more_is_tried_where_there_is_no_more(staged):
    config = CONFIG.model_copy(update={"resample_rounds": 3})
    dull = Asking("dull", lambda *_: over(won=1.0))
    ctx = staged(
        config, policy=Saying("a", "b"), batch=ProblemBatch(0, [dull], 0), batches=Batches()
    )
    assert len((await rolled(ctx)).groups) == 1


async def test_the_same_seed_and_batch_give_the_same_rollouts(staged):
    source = ModelSource("tiny", model_folder("tiny"))
    session = await MemoryTraining().start_session(SessionSpec(source, None, seed=0))
    found = []
    for index in (4, 4, 5):
        batch = ProblemBatch(index, [Asking(q, says) for q in ("x?", "y?", "zz?")], 0)
        ctx = staged(policy=session.sampler("live"), batch=batch, batches=Batches())
        found.append((await rolled(ctx)).to_plain()["groups"])
    await session.close()
    assert found[0] == found[1] != found[2]
