"""What is told of a batch's episodes; tinker-cookbook's own are in the parity tests."""

import pytest

from kitchen_core.train.rl.metrics import episode_metrics, error_metrics, version_metrics
from tests.kitchen_core.train.rl.support import BROKEN, episode, group, of_rewards


def test_a_tag_of_every_group_tells_nothing_apart():
    found = episode_metrics([of_rewards(1, 0), of_rewards(1, 1)])
    assert {name.split("/")[1] for name in found} == {"all"}
    assert found["env/all/reward/total"] == 0.75
    assert found["env/all/by_group/frac_mixed"] == 0.5
    assert found["env/all/by_group/frac_all_good"] == 0.5


def test_tags_have_their_own():
    found = episode_metrics([of_rewards(1, 0, tags=("sums",)), of_rewards(0, 0, tags=("chat",))])
    assert found["env/sums/reward/total"] == 0.5
    assert found["env/chat/by_group/frac_all_bad"] == 1
    assert found["env/all/reward/total"] == 0.25


def test_broken_episodes_count_as_errors_alone():
    made = [group(episode(1.0), BROKEN), group(BROKEN, BROKEN)]
    assert episode_metrics(made)["env/all/total_episodes"] == 1
    assert error_metrics(made) == {
        "rollout_errors/RuntimeError": 3,
        "rollout_errors/total": 3,
        "rollout_errors/groups_skipped": 1,
    }


def test_where_nothing_broke_there_is_no_error_to_tell_of():
    assert error_metrics([of_rewards(1, 0)]) == {}


def test_of_no_episode_there_is_no_mean():
    found = episode_metrics([group(BROKEN)])
    assert found["env/all/total_episodes"] == 0
    assert "env/all/reward/total" not in found


def test_versions_are_those_of_the_weights_that_sampled():
    made = [group(episode(1.0, version=3)), group(episode(1.0, version=6))]
    assert version_metrics(made) == {
        "sampling_client/step_max": 6,
        "sampling_client/step_min": 3,
        "sampling_client/step_mean": pytest.approx(4.5),
    }
