import pytest

from kitchen_core.train.schedules import lr_multiplier

# tinker-cookbook 0.5.8, compute_schedule_lr_multiplier(name, step, 4), recorded for steps 0..3
COOKBOOK = {
    "linear": [1.0, 0.75, 0.5, 0.25],
    "cosine": [1.0, 0.854, 0.5, 0.146],
    "constant": [1.0, 1.0, 1.0, 1.0],
}


@pytest.mark.parametrize("schedule", COOKBOOK)
def test_without_a_warm_up_it_is_the_cookbooks(schedule):
    ours = [lr_multiplier(schedule, step, 4) for step in range(4)]
    assert ours == pytest.approx(COOKBOOK[schedule], abs=5e-4)


@pytest.mark.parametrize("schedule", COOKBOOK)
def test_the_warm_up_rises_to_the_peak_and_the_schedule_starts_there(schedule):
    ours = [lr_multiplier(schedule, step, 8, warmup_steps=4) for step in range(5)]
    assert ours == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_a_warm_up_longer_than_the_run_never_passes_the_peak():
    assert max(lr_multiplier("linear", step, 3, warmup_steps=10) for step in range(3)) == 0.3
