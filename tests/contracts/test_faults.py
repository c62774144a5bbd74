"""Doubles that are told to fail: under the policy they are as good as whole ones, or fail with a hint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kitchen_core.adapters.manifest import Manifest, PortChoice
from kitchen_core.adapters.memory import adapter, files
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.adapters.retry import RetryPolicy
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import (
    AuthError,
    GatedError,
    InvalidRequest,
    NotFound,
    PortError,
    Unavailable,
)
from kitchen_core.train.types import (
    AdamParams,
    Datum,
    LossSpec,
    Message,
    ModelSource,
    SamplingParams,
    SessionSpec,
)
from tests.clock import on_fake_clock

PASSING = ["rate_limited", "timeout", "ok", "garbage", "partial_stream", "disconnect"]
POLICY = RetryPolicy(breaker_failures=99)
ASKED = Conversation((Message("user", "one two"),))


def connected(port, *faults, notify=lambda notice: None):
    choice = PortChoice.model_validate({"adapter": "memory", "faults": list(faults)})
    return Wiring(Manifest(ports={port: choice}, retry=POLICY), {}, notify).connect(port)


def answered(*faults):
    """Two answers, when the second one came, and which attempts were told of as failed."""
    notices = []

    async def main(clock):
        client = connected("llm", *faults, notify=notices.append)
        answers = [
            await client.answer("parrot", ASKED, max_tokens=5, temperature=0) for _ in range(2)
        ]
        return answers, clock.time, [notice.message for notice in notices]

    return on_fake_clock(main)


def test_an_llm_that_fails_gives_the_answers_of_one_that_does_not():
    whole, _, _ = answered()
    faulty, ended_at, told = answered(*PASSING)
    assert faulty == whole
    assert len(told) == 5
    assert ended_at > 1  # of rate_limited


def trained(folder: Path, *faults):
    """A sample, and the logprobs of a step after it."""
    files.write_model(folder, np.random.default_rng(0).normal(size=(VOCAB_SIZE, VOCAB_SIZE)))

    async def main(clock):
        client = connected("training_client", *faults)
        spec = SessionSpec(ModelSource("m", folder), None, seed=0, micro_batch_tokens=64)
        session = await client.start_session(spec)
        sampler = session.sampler("snapshot")
        ((sample,),) = await sampler.sample([[1, 2]], SamplingParams(max_tokens=4, seed=3))
        tokens = np.arange(1, 5)
        datum = Datum(tokens, tokens, np.ones(4, np.float32))
        result = await session.forward_backward([datum], LossSpec())
        await session.optim_step(AdamParams(0.1))
        await session.close()
        return list(sample.tokens), [each.tolist() for each in result.logprobs]

    return on_fake_clock(main)


def test_a_training_double_that_fails_trains_as_one_that_does_not(tmp_path):
    """What starts a session or samples is asked again; the rest has its place in an order."""
    whole = trained(tmp_path / "whole")
    assert trained(tmp_path / "faulty", "timeout", "disconnect", "ok", "rate_limited") == whole


def test_a_step_that_fails_is_not_asked_again(tmp_path):
    with pytest.raises(Unavailable, match="forward_backward"):
        trained(tmp_path, "ok", "ok", "disconnect")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("auth", AuthError),
        ("gated", GatedError),
        ("not_found", NotFound),
        ("invalid", InvalidRequest),
    ],
)
@pytest.mark.parametrize(
    ("port", "method", "arguments"),
    [
        ("model_hub", "fetch_model", ["org/model"]),
        ("dataset_hub", "fetch_dataset", ["org/data"]),
        ("dataset_reader", "read", [Path("rows.jsonl")]),
        ("python_bridge", "call", ["sympy.equal", "1", "1"]),
    ],
)
def test_what_will_not_pass_comes_out_at_once_with_its_hint(fault, error, port, method, arguments):
    async def main(clock):
        with pytest.raises(error) as failed:
            await getattr(connected(port, fault), method)(*arguments)
        return failed.value, clock.time

    failed, ended_at = on_fake_clock(main)
    assert ended_at == 0
    assert failed.hint
    assert (failed.port, failed.adapter, failed.asked) == (port, "memory", method)


def test_a_stream_gives_what_came_before_it_broke_off(tmp_path):
    files.write_model(tmp_path, np.zeros((VOCAB_SIZE, VOCAB_SIZE)))

    async def main(clock):
        client = connected("training_client", "ok", "partial_stream")
        spec = SessionSpec(ModelSource("m", tmp_path), None, seed=0, micro_batch_tokens=64)
        session = await client.start_session(spec)
        stream = session.sampler("snapshot").stream([1], SamplingParams(max_tokens=9, seed=0))
        first = await anext(stream)
        with pytest.raises(Unavailable, match="broke off"):
            await anext(stream)
        await session.close()
        return first.token

    assert isinstance(on_fake_clock(main), int)


def test_a_fault_that_there_is_not_is_refused():
    with pytest.raises(PortError, match="no fault 'time_out'; did you mean 'timeout'"):
        adapter.ports["llm"](faults=["time_out"])
