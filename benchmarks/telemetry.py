"""What telemetry costs a training step on the tiny model: `python -m benchmarks.telemetry
[--json]`.

The emissions of a step (three folded stages, eleven values) go to a real store as fast as they can,
which gives the time of one; a real step of the same model and batch size as sl_basic gives what it
is compared with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from kitchen_core import builtin
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.telemetry.emitter import Telemetry
from kitchen_core.train.types import AdamParams, Datum, LossSpec, ModelSource, SessionSpec

EMISSIONS = 20_000
STEPS = 60
BATCH, LENGTH = 32, 14
STAGES = ("ForwardBackward", "OptimStep", "LogMetrics")
VALUES = {f"group/value_{i}": 0.5 for i in range(11)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as home, Store.open(Path(home)) as store:
        emission = _seconds_of_an_emission(store)
    step = asyncio.run(_seconds_of_a_step())
    figures = {"emission_us": emission * 1e6, "step_ms": step * 1e3, "share": emission / step}
    if as_json:
        print(json.dumps(figures))
    else:
        print(
            "telemetry {emission_us:.0f} µs of a step of {step_ms:.1f} ms: {share:.2%}".format(
                **figures
            )
        )


def _seconds_of_an_emission(store: Store) -> float:
    run = store.create_run(NewRun(name="bench", recipe="bench", workflow="bench"))
    attempt = store.begin_attempt(run.id, os.getpid(), 0.0, "boot", "log")
    telemetry = Telemetry(RunWriter(store, run.id, attempt))
    started = time.perf_counter()
    for step in range(EMISSIONS):
        for name in STAGES:
            with telemetry.stage(name, step, hot=True):
                pass
        telemetry.metrics(step, VALUES)
    telemetry.close()
    return (time.perf_counter() - started) / EMISSIONS


async def _seconds_of_a_step() -> float:
    source = ModelSource("builtin:tiny", builtin.model_folder("tiny"))
    session = await TorchLocal().start_session(
        SessionSpec(source, None, seed=0, micro_batch_tokens=4096)
    )
    tokens = np.arange(3, 3 + LENGTH, dtype=np.int64)
    batch = [Datum(tokens, tokens, np.full(LENGTH, 1e-3, np.float32)) for _ in range(BATCH)]
    seconds = []
    for _ in range(STEPS):
        started = time.perf_counter()
        forward = session.forward_backward(batch, LossSpec())
        await session.optim_step(AdamParams(1e-4))
        await forward
        seconds.append(time.perf_counter() - started)
    await session.close()
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
