import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.schedules import lr_multiplier

# tinker-cookbook 0.5.8, compute_schedule_lr_multiplier(name, step, total), recorded
COOKBOOK = {
    ("linear", 4): [1.0, 0.75, 0.5, 0.25],
    ("cosine", 4): [1.0, 0.8535533905932737, 0.5, 0.14644660940672627],
    ("constant", 4): [1.0, 1.0, 1.0, 1.0],
    ("linear", 7): [1.0, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7],
    ("cosine", 7): [
        1.0,
        0.9504844339512095,
        0.8117449009293668,
        0.6112604669781572,
        0.38873953302184283,
        0.18825509907063326,
        0.04951556604879048,
    ],
}
SCHEDULES = ("constant", "linear", "cosine")
settings = st.fixed_dictionaries(
    {
        "schedule": st.sampled_from(SCHEDULES),
        "total_steps": st.integers(1, 200),
        "warmup_steps": st.integers(0, 300),
        "min_lr_ratio": st.floats(0, 1),
    }
)


def whole(schedule, total_steps, warmup_steps=0, min_lr_ratio=0.0):
    return [
        lr_multiplier(schedule, step, total_steps, warmup_steps, min_lr_ratio)
        for step in range(total_steps)
    ]


@pytest.mark.parametrize("case", COOKBOOK, ids=str)
def test_without_a_warm_up_it_is_the_cookbooks(case):
    schedule, total = case
    assert whole(schedule, total) == pytest.approx(COOKBOOK[case], abs=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_warm_up_rises_to_the_peak_and_the_schedule_starts_there(schedule):
    assert whole(schedule, 8, 4)[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_a_warm_up_longer_than_the_run_never_passes_the_peak():
    assert max(whole("linear", 3, 10)) == 0.3


def of_transformers(name, warmup, total, **settings):
    from transformers import optimization

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    make = getattr(optimization, f"get_{name}_schedule_with_warmup")
    if name != "constant":
        settings["num_training_steps"] = total
    return make(optimizer, num_warmup_steps=warmup, **settings).lr_lambdas[0]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_from_the_warm_up_on_it_is_transformers_schedule(schedule):
    theirs = of_transformers(schedule, 5, 20)
    assert whole(schedule, 20, 5)[5:] == pytest.approx([theirs(s) for s in range(5, 20)], abs=1e-12)


def test_in_the_warm_up_it_is_one_step_ahead_of_transformers_which_begins_at_zero():
    theirs = of_transformers("linear", 5, 20)
    assert whole("linear", 20, 5)[:4] == pytest.approx([theirs(s + 1) for s in range(4)])


def test_the_floor_is_transformers_min_lr_rate():
    theirs = of_transformers("cosine_with_min_lr", 5, 20, min_lr_rate=0.1)
    ours = whole("cosine", 20, 5, min_lr_ratio=0.1)[5:]
    assert ours == pytest.approx([theirs(s) for s in range(5, 20)], abs=1e-12)


@given(settings)
def test_it_lies_between_zero_and_the_peak(case):
    assert all(0 < m <= 1 for m in whole(**case))


@given(settings)
def test_it_rises_in_the_warm_up_and_never_afterwards(case):
    multipliers = whole(**case)
    warmup = case["warmup_steps"]
    rising, falling = multipliers[:warmup], multipliers[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(m >= case["min_lr_ratio"] for m in falling)


@given(settings)
def test_the_first_step_after_the_warm_up_has_the_peak_rate(case):
    multipliers = whole(**case)
    if case["warmup_steps"] < case["total_steps"]:
        assert multipliers[case["warmup_steps"]] == 1


@given(st.sampled_from(("linear", "cosine")), st.integers(1, 200), st.floats(0, 1))
def test_the_step_after_the_last_one_would_have_the_floor(schedule, total, floor):
    assert lr_multiplier(schedule, total, total, min_lr_ratio=floor) == pytest.approx(floor)
