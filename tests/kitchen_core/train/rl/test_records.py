"""Rollouts as JSON and back, to the bit."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.rl.rollouts import Rollouts
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import Sample

names = st.text(max_size=5)
parts = st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False), max_size=3)
logprobs = st.lists(st.floats(width=32), min_size=1, max_size=5)


@st.composite
def turns(draw):
    found = draw(logprobs)
    tokens = draw(st.lists(st.integers(0, 2**40), min_size=len(found), max_size=len(found)))
    sample = Sample(tokens, np.array(found, np.float32), draw(st.sampled_from(["stop", "length"])))
    prompt = draw(st.lists(st.integers(0, 2**40), max_size=4))
    return Turn(prompt, sample, draw(parts), draw(parts), draw(names))


trajectories = st.builds(
    Trajectory,
    st.lists(turns(), max_size=3).map(tuple),
    st.integers(0, 10**6),
    parts,
    st.none() | names,
)
groups = st.builds(
    TrajectoryGroup,
    st.lists(trajectories, max_size=3).map(tuple),
    st.lists(names, max_size=2).map(tuple),
    names,
    names,
    parts,
)
rollouts = st.builds(
    Rollouts,
    st.integers(0, 99),
    st.integers(0, 9),
    st.lists(groups, max_size=3).map(tuple),
    st.floats(0, 1e6),
)


@given(rollouts)
def test_rollouts_come_back_to_the_bit(made):
    text = json.dumps(made.to_plain())
    again = Rollouts.from_plain(json.loads(text))
    assert json.dumps(again.to_plain()) == text
    for one, other in zip(every_turn(made), every_turn(again), strict=True):
        assert one.sample.logprobs.dtype == other.sample.logprobs.dtype == np.float32
        assert one.sample.logprobs.tobytes() == other.sample.logprobs.tobytes()
        assert (one.prompt, one.sample.tokens) == (other.prompt, other.sample.tokens)
        assert (one.rewards, one.metrics, one.told) == (other.rewards, other.metrics, other.told)
    assert [g.tags for g in made.groups] == [g.tags for g in again.groups]


def every_turn(made):
    return [turn for group in made.groups for each in group.trajectories for turn in each.turns]
