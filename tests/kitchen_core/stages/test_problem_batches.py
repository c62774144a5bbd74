"""Which problems are tried in place of those that teach nothing."""

from kitchen_core.stages.problems import Problem, ProblemBatches
from kitchen_core.train.batches import BatchPlan, MixedIn
from kitchen_core.train.environments import Outcome
from tests.kitchen_core.stages.problems import Asking


def problems(name, count):
    def answering(turn, text):
        return Outcome()

    return [Problem(Asking(f"{name} {n}", answering), [1, 2]) for n in range(count)]


def batches(mixed=()):
    plan = BatchPlan(
        num_examples=12, batch_size=4, num_epochs=2, max_steps=None, seed=0, mixed=tuple(mixed)
    )
    more = [problems("more", each.num_examples) for each in mixed]
    return ProblemBatches([problems("main", 12), *more], plan, "x")


def asked(groups):
    return [group.question for group in groups]


def test_further_problems_are_others_than_the_batchs_and_each_is_tried_once():
    made = batches()
    tried = [*asked(made.further(1, 0, 3)), *asked(made.further(1, 3, 20))]
    assert len(tried) == len(set(tried)) == 8
    assert not set(tried) & set(asked(made[1].groups))


def test_each_batch_tries_them_in_an_order_of_its_own_that_the_seed_fixes():
    first, second = asked(batches().further(0, 0, 8)), asked(batches().further(1, 0, 8))
    assert first == asked(batches().further(0, 0, 8))
    assert first != second


def test_a_mixed_set_keeps_its_share_of_what_is_tried():
    """Of the 40 further ones each epoch has 3, so that no more of them are tried."""
    made = batches(mixed=[MixedIn(num_examples=40, per_epoch=3)])
    for index in range(len(made)):
        tried = [*asked(made[index].groups), *asked(made.further(index, 0, 100))]
        assert len(tried) == 15
        assert sum(question.startswith("more") for question in tried) == 3
