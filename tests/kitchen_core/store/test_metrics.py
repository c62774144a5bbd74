"""Metrics: what was written last is what is read, in every shape."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_core.store import Bucket, RunWriter, Store
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import EventKind
from tests.kitchen_core.store.support import passing_store, start

values = st.none() | st.floats(-1e6, 1e6)
steps = st.integers(0, 60)
rows = st.lists(st.builds(MetricRow, st.sampled_from(["loss", "kl"]), steps, values), max_size=120)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1), rows), max_size=6))
def test_series_hold_the_last_value_of_each_step(
    batches: list[tuple[int, list[MetricRow]]],
) -> None:
    with passing_store() as store:
        writers = [start(store, "a"), start(store, "b")]
        expected: list[dict[str, dict[int, float | None]]] = [{}, {}]
        for which, batch in batches:
            writers[which].write_metrics(batch)
            for name, step, value in batch:
                expected[which].setdefault(name, {})[step] = value
        for writer, by_name in zip(writers, expected, strict=True):
            wanted = {
                name: [list(point) for point in sorted(points.items())]
                for name, points in by_name.items()
            }
            assert store.series(writer.run_id) == wanted
            assert store.last_values(writer.run_id) == {
                name: points[-1][1] for name, points in wanted.items()
            }
            of_run = store.read_points(run_id=writer.run_id)
            everything = store.read_points()
            assert of_run == [point for point in everything if point.run_id == writer.run_id]
            assert len(of_run) == sum(map(len, wanted.values()))


def test_the_last_values_of_several_runs_come_at_once(store: Store) -> None:
    one, two, none = (start(store) for _ in range(3))
    one.write_metrics([MetricRow("loss", step, 1 / step) for step in (1, 2, 4)])
    two.write_metrics([MetricRow("loss", 1, 3.0), MetricRow("acc", 0, None)])
    assert store.last_values_of([two.run_id, none.run_id, one.run_id]) == {
        one.run_id: {"loss": 0.25},
        two.run_id: {"acc": None, "loss": 3.0},
        none.run_id: {},
    }


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1), rows), max_size=6), st.integers(1, 40))
def test_a_stream_that_polls_ends_with_the_same_values(
    batches: list[tuple[int, list[MetricRow]]], limit: int
) -> None:
    with passing_store() as store:
        writers = [start(store, "a"), start(store, "b")]
        cursor, seen = 0, {}
        for which, batch in [*batches, (0, [])]:
            writers[which].write_metrics(batch)
            while points := store.read_points(cursor, writers[0].run_id, limit):
                assert cursor < points[0].id
                assert [point.id for point in points] == sorted({point.id for point in points})
                cursor = points[-1].id
                seen.update({(point.name, point.step): point.value for point in points})
        final = store.series(writers[0].run_id)
        assert seen == {(name, step): value for name in final for step, value in final[name]}


def test_a_step_written_again_has_a_new_id(store: Store, writer: RunWriter) -> None:
    writer.write_metrics([MetricRow("loss", step, 1.0) for step in range(1, 4)])
    cursor = store.read_points()[-1].id
    writer.write_metrics([MetricRow("loss", 2, 0.5)])
    (again,) = store.read_points(cursor, writer.run_id)
    assert (again.step, again.value) == (2, 0.5)
    assert store.series(writer.run_id) == {"loss": [[1, 1.0], [2, 0.5], [3, 1.0]]}


def test_ids_are_not_given_again_after_a_rewind(store: Store, writer: RunWriter) -> None:
    writer.write_metrics([MetricRow("loss", step, 1.0) for step in range(1, 11)])
    cursor = store.read_points()[-1].id
    writer.rewind(5)
    writer.write_metrics([MetricRow("loss", 6, 2.0)])
    assert [point.step for point in store.read_points(cursor)] == [6]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_not_finite_is_null(store: Store, writer: RunWriter, value: float | None) -> None:
    writer.write_metrics([MetricRow("loss", 1, value)])
    assert store.series(writer.run_id) == {"loss": [[1, None]]}
    assert store.read_points()[0].value is None
    assert store.buckets(writer.run_id, "loss", 4) == [Bucket(1, 1, None, None, None)]


def test_a_resume_goes_on_from_its_checkpoint(store: Store, writer: RunWriter) -> None:
    other = start(store, "other")
    for log in (writer, other):
        log.write_metrics(
            [MetricRow(name, step, float(step)) for step in range(1, 11) for name in ("a", "b")]
        )
    writer.set_progress(10, 20, 5.0)
    writer.rewind(7)
    for points in store.series(writer.run_id).values():
        assert points == [[step, float(step)] for step in range(1, 8)]
    event = store.read_events(run_id=writer.run_id)[-1]
    assert (event.kind, event.step, event.metadata) == (EventKind.RUN_RESUMED, 7, {"step": 7})
    assert store.get_run(writer.run_id).progress_step == 7
    assert len(store.series(other.run_id)["a"]) == 10
    assert store.delete_beyond(writer.run_id, 5, writer.attempt) == 4


def test_a_series_emptied_by_a_rewind_has_no_last_value(store: Store, writer: RunWriter) -> None:
    writer.write_metrics([MetricRow("loss", 3, 1.0), MetricRow("start", 1, 2.0)])
    writer.rewind(2)
    assert store.last_values(writer.run_id) == {"start": 2.0}
    assert store.series(writer.run_id, ["loss", "unknown"]) == {"loss": []}


def brute_force(points: dict[int, float | None], n: int, first: int, last: int) -> list[Bucket]:
    inside = sorted(step for step in points if first <= step <= last)
    if not inside:
        return []
    low, width = inside[0], inside[-1] - inside[0] + 1
    groups: dict[int, list[int]] = {}
    for step in inside:
        groups.setdefault((step - low) * n // width, []).append(step)
    buckets = []
    for group in groups.values():
        finite = [value for step in group if (value := points[step]) is not None]
        low_high = (min(finite), max(finite)) if finite else (None, None)
        buckets.append(Bucket(group[0], group[-1], *low_high, points[group[-1]]))
    return buckets


@settings(max_examples=25)
@given(
    st.dictionaries(st.integers(0, 500), values, max_size=150),
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 500), st.integers(0, 500)), max_size=8),
)
def test_buckets_are_what_brute_force_finds(
    points: dict[int, float | None], asked: list[tuple[int, int, int]]
) -> None:
    with passing_store() as store:
        writer = start(store)
        writer.write_metrics([MetricRow("loss", step, value) for step, value in points.items()])
        for n, first, last in asked:
            found = store.buckets(writer.run_id, "loss", n, first, last)
            assert found == brute_force(points, n, first, last)
            assert len(found) <= n
        assert store.buckets(writer.run_id, "loss", 10) == brute_force(points, 10, 0, 500)
        assert store.buckets(writer.run_id, "unknown", 10) == []
