"""What an attempt takes is kept beside its run's quote, and adds up over attempts."""

import pytest

from kitchen_core.store import NewRun, Store
from kitchen_core.store.records import NewQuote
from kitchen_core.workflow.progress import Progress
from kitchen_daemon.machine import energy
from kitchen_daemon.machine.energy import cpu_meter
from kitchen_daemon.running.measuring import Meter

WIRING = {"ports": {"training_client": {"adapter": "torch_local"}}}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def run(store):
    new = NewRun(name="r", recipe="r", workflow="w", wiring=WIRING, config={"device": "cpu"})
    return store.create_run(new, NewQuote(energy_j=90.0))


@pytest.fixture
def counter(tmp_path, monkeypatch):
    """Sets what the CPU's counter says, in joules."""
    zone = tmp_path / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    monkeypatch.setattr(energy, "POWERCAP", zone.parent)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")

    def write(joules: float) -> None:
        (zone / "energy_uj").write_text(f"{round(joules * 1e6)}\n")

    return write


def begun(store, run):
    """A meter of the run's next attempt."""
    number = store.begin_attempt(run.id, 1, 0.0, "", "")
    return Meter(store, run, number, Progress(), cpu_meter().joules)


def test_energy_adds_up_over_attempts_and_not_between_them(store, run, counter):
    counter(1000)
    first = begun(store, run)
    counter(1040)
    first.record()
    assert store.quote_of(run.id).used_energy_j == pytest.approx(40)
    counter(5000)
    store.end_attempt(run.id, 1, 0, [])
    second = begun(store, run)
    counter(5002.5)
    second.record()
    quote = store.quote_of(run.id)
    assert (quote.energy_j, quote.used_energy_j) == (90.0, pytest.approx(42.5))
    assert quote.peak_memory_bytes > 10 * 2**20


def test_energy_that_cannot_be_counted_is_left_unknown(store, run, counter):
    counter(1000)
    meter = begun(store, run)
    (energy.POWERCAP / "intel-rapl:0" / "energy_uj").unlink()
    meter.record()
    quote = store.quote_of(run.id)
    assert quote.used_energy_j is None
    assert quote.busy_seconds > 0


def test_what_a_replaced_attempt_took_is_not_kept(store, run, counter):
    counter(1000)
    replaced = begun(store, run)
    store.end_attempt(run.id, 1, None, [])
    store.begin_attempt(run.id, 2, 0.0, "", "")
    counter(9000)
    replaced.record()
    assert store.quote_of(run.id).used_energy_j is None
