"""What others use of a GPU, by what the driver tells of its processes."""

from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.needs import Placement
from kitchen_daemon.machine.foreign import foreign_use
from kitchen_daemon.machine.tenants import Holding, Tenant
from tests.doubles.nvml import GIB


def run(name: str, memory_bytes: int | None) -> Tenant:
    return Tenant(name, 100, Placement(gpus=("GPU-a",), memory_bytes=memory_bytes))


def test_what_a_stranger_holds_is_foreign():
    assert foreign_use(14 * GIB, [Holding(812, 14 * GIB)], []) == ((812, 14 * GIB),)


def test_what_our_run_holds_is_not():
    ours, theirs = Holding(100, 8 * GIB, run="a"), Holding(812, 2 * GIB)
    assert foreign_use(10 * GIB, [theirs, ours], [run("a", 9 * GIB)]) == ((812, 2 * GIB),)


def test_what_nobody_holds_has_pid_0():
    assert foreign_use(3 * GIB, [Holding(812, 2 * GIB)], []) == ((812, 2 * GIB), (0, GIB))


def test_of_hidden_memory_our_run_holds_its_place():
    assert foreign_use(10 * GIB, [], [run("a", 8 * GIB)]) == ((0, 2 * GIB),)
    assert foreign_use(5 * GIB, [], [run("a", 8 * GIB)]) == ()


def test_of_hidden_memory_a_run_without_a_size_holds_all():
    assert foreign_use(10 * GIB, [], [run("a", None)]) == ()


def test_a_process_that_hides_its_memory_is_in_what_nobody_holds():
    assert foreign_use(6 * GIB, [Holding(812, None)], []) == ((0, 6 * GIB),)


def test_a_pid_of_another_namespace_may_be_our_runs():
    """In a container the driver may number processes as the host does: our own worker has a pid that isn't here."""
    assert foreign_use(9 * GIB, [Holding(None, 9 * GIB)], [run("a", 9 * GIB)]) == ()
    assert foreign_use(9 * GIB, [Holding(None, 9 * GIB)], []) == ((0, 9 * GIB),)


def test_a_run_that_was_seen_holds_what_was_seen_not_its_place():
    seen = [Holding(100, GIB, run="a")]
    assert foreign_use(5 * GIB, seen, [run("a", 8 * GIB)]) == ((0, 4 * GIB),)


sizes = st.integers(0, 100)
runs = st.sampled_from([None, "a", "b"])
held = st.lists(
    st.builds(Holding, st.none() | st.integers(1, 9), st.none() | sizes, runs), max_size=6
)
places = st.lists(
    st.builds(run, st.sampled_from("ab"), st.none() | sizes), max_size=2, unique_by=lambda t: t.run
)


@given(sizes, held, places)
def test_memory_is_counted_once(used, holdings, tenants):
    foreign = sum(taken for _, taken in foreign_use(used, holdings, tenants))
    known = [each for each in holdings if each.pid is not None]
    ours = min(used, sum(each.memory_bytes or 0 for each in known if each.run))
    assert foreign >= 0
    assert foreign + ours <= used


@given(sizes, held)
def test_without_runs_all_that_is_used_is_foreign(used, holdings):
    strangers = [each._replace(run=None) for each in holdings]
    assert sum(taken for _, taken in foreign_use(used, strangers, [])) == used
