import pytest

from kitchen_core.store.records import Formula, NewQuote, Usage
from kitchen_core.telemetry.ports import StaleAttempt
from kitchen_core.telemetry.schema import RunStatus
from tests.kitchen_core.store.support import SUBMISSION, bring_to, next_attempt

QUOTE = NewQuote(
    memory_bytes=1000,
    seconds=60.0,
    seconds_a_step=0.5,
    steps=100,
    basis="formula",
    formula=Formula(device="CPU", memory_bytes=900, seconds_a_step=0.4, other_seconds=20.0),
)


def test_a_run_comes_with_its_quote(store):
    run = store.create_run(SUBMISSION, QUOTE)
    found = store.quote_of(run.id)
    assert found.model_dump(include=set(NewQuote.model_fields)) == QUOTE.model_dump()
    assert found.peak_memory_bytes is None


def test_a_run_without_a_quote_has_none(store):
    assert store.quote_of(store.create_run(SUBMISSION).id) is None


def test_what_it_took_grows_and_the_peak_stays(store):
    run = store.create_run(SUBMISSION, QUOTE)
    attempt = next_attempt(store, run.id)
    first = Usage(peak_memory_bytes=500, busy_seconds=10.0, seconds_a_step=0.4, energy_j=None)
    store.record_usage(run.id, first, attempt)
    store.record_usage(run.id, Usage(peak_memory_bytes=400, busy_seconds=25.0), attempt)
    found = store.quote_of(run.id)
    assert (found.peak_memory_bytes, found.busy_seconds) == (500, 25.0)
    assert found.measured_seconds_a_step == 0.4
    assert found.memory_bytes == 1000


def test_a_replaced_attempt_records_nothing(store):
    run = store.create_run(SUBMISSION, QUOTE)
    old = next_attempt(store, run.id)
    next_attempt(store, run.id)
    with pytest.raises(StaleAttempt):
        store.record_usage(run.id, Usage(peak_memory_bytes=500, busy_seconds=10.0), old)
    assert store.quote_of(run.id).peak_memory_bytes is None


def test_a_run_from_before_there_were_quotes_is_measured_too(store):
    run = store.create_run(SUBMISSION)
    attempt = next_attempt(store, run.id)
    store.record_usage(run.id, Usage(peak_memory_bytes=7, busy_seconds=1.0), attempt)
    assert store.quote_of(run.id).peak_memory_bytes == 7


def test_only_runs_that_completed_teach(store):
    for status in (RunStatus.COMPLETED, RunStatus.FAILED):
        run = store.create_run(SUBMISSION, QUOTE)
        attempt = next_attempt(store, run.id)
        store.record_usage(run.id, Usage(busy_seconds=10.0), attempt)
        bring_to(store, run.id, status)
    measured = store.measured_runs(SUBMISSION.workflow, 10)
    assert [store.get_run(each.run_id).status for each in measured] == [RunStatus.COMPLETED]
    assert measured[0].formula == QUOTE.formula
    assert store.measured_runs("another", 10) == []
