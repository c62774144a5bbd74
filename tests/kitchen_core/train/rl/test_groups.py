"""Which groups are learnt from."""

from kitchen_core.train.rl.groups import sort_groups
from tests.kitchen_core.train.rl.support import BROKEN, episode, group, of_rewards

MIXED, CONSTANT = of_rewards(1, 0, tags=("sums",)), of_rewards(1, 1, tags=("chat",))
LOST = group(episode(1.0), BROKEN, BROKEN)


def test_constant_groups_are_left_out_and_tags_stay_with_their_groups():
    found = sort_groups([CONSTANT, MIXED, CONSTANT], remove_constant=True)
    assert [each.tags for each in found.kept] == [("sums",)]
    assert [each.tags for each in found.constant] == [("chat",), ("chat",)]


def test_they_stay_where_that_is_asked():
    found = sort_groups([CONSTANT, MIXED], remove_constant=False)
    assert found.kept == (CONSTANT, MIXED)
    assert found.constant == ()


def test_where_all_are_constant_the_first_is_kept():
    other = of_rewards(0, 0)
    found = sort_groups([CONSTANT, other], remove_constant=True)
    assert found.kept == (CONSTANT,)
    assert found.constant == (other,)


def test_a_group_with_one_whole_episode_has_nothing_to_compare():
    for remove_constant in (True, False):
        found = sort_groups([LOST, MIXED], remove_constant=remove_constant)
        assert found.kept == (MIXED,)
        assert found.broken == (LOST,)


def test_broken_episodes_do_not_make_a_group_mixed():
    found = sort_groups([group(episode(1.0), episode(1.0), BROKEN), MIXED], remove_constant=True)
    assert found.kept == (MIXED,)


def test_of_nothing_nothing_is_kept():
    assert sort_groups([], remove_constant=True).kept == ()
    assert sort_groups([LOST, LOST], remove_constant=True).kept == ()
