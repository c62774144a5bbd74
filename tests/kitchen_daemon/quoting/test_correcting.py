import pytest

from kitchen_core.store.quotes import Measured
from kitchen_core.store.records import Formula
from kitchen_daemon.quoting.correcting import NONE, correction

CONFIG = {"model": "a", "threads": 2, "lora_rank": 8, "batch_size": 4}
FORMULA = Formula(device="CPU", memory_bytes=1000, seconds_a_step=1.0, other_seconds=10.0)


def measured(config: dict[str, object], *, device: str = "CPU", factor: float = 1.0) -> Measured:
    """A run of 10 steps that took so many times what its formula says."""
    return Measured(
        run_id="r",
        steps=10,
        formula=FORMULA.model_copy(update={"device": device}),
        peak_memory_bytes=round(1000 * factor),
        measured_seconds_a_step=factor,
        busy_seconds=20 * factor,
        config=CONFIG | config,
        pins={},
    )


def test_without_earlier_runs_nothing_is_corrected():
    assert correction(CONFIG, FORMULA, []) == NONE


def test_the_same_run_corrects_every_figure_by_what_it_took():
    found = correction(CONFIG, FORMULA, [measured({}, factor=1.5)])
    assert (found.memory, found.seconds_a_step, found.other_seconds) == (1.5, 1.5, 1.5)


def test_the_closest_run_wins_and_of_equally_close_ones_the_newest():
    newest_first = [
        measured({"model": "b"}, factor=9.0),
        measured({"batch_size": 8}, factor=2.0),
        measured({"batch_size": 16}, factor=3.0),
    ]
    assert correction(CONFIG, FORMULA, newest_first).seconds_a_step == 2.0


@pytest.mark.parametrize("other", [{"device": "H100"}, {"config": {"threads": 1}}])
def test_another_device_teaches_nothing(other):
    run = measured(other.get("config", {}), device=other.get("device", "CPU"), factor=2.0)
    assert correction(CONFIG, FORMULA, [run]) == NONE


def test_the_power_is_that_of_the_closest_run_whose_energy_was_measured():
    drew = measured({"batch_size": 8}).model_copy(update={"used_energy_j": 900.0})
    assert correction(CONFIG, FORMULA, [measured({}), drew]).watts == 45.0


def test_a_run_that_was_measured_in_part_corrects_in_part():
    run = measured({}, factor=2.0).model_copy(update={"measured_seconds_a_step": None})
    found = correction(CONFIG, FORMULA, [run])
    assert (found.memory, found.seconds_a_step, found.other_seconds) == (2.0, None, None)
