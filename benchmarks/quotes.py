"""How far quotes are from what runs take: the five recipes and variants of them, each quoted, run, and quoted again.

python -m benchmarks.quotes [--model ./SmolLM2-135M-Instruct --dataset ./chat.jsonl] [--only TEXT] [--json]

Cold: the quote of a home that has seen nothing alike. Corrected: the quote of the same run once it has completed.
Memory is also given above the worker's base, which is most of a small run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from kitchen_core.adapters.torch_local.costs.memory import PROCESS_BYTES
from kitchen_core.home import Home
from kitchen_daemon.client import Client, Unreachable
from kitchen_daemon.models import Launch, QuoteInfo, RunInfo

WAIT_SECONDS = 900.0
BASE = PROCESS_BYTES["cpu"]

TINY = {
    "sl_basic": ("sl_basic", {"max_steps": 100}),
    "chat_sl": ("chat_sl", {"max_steps": 60}),
    "dpo": ("dpo", {}),
    "math_rl": ("math_rl", {}),
    "distillation": ("distillation", {}),
    "sl_basic, LoRA": ("sl_basic", {"max_steps": 60, "lora_rank": 16}),
}
FEW = {
    "max_steps": 3,
    "save_every": 0,
    "eval_every": 0,
    "batch_size": 4,
    "max_length": 512,
    "threads": 1,
}
FULL = {"lora_rank": 0, "learning_rate": 1e-5}
REAL = {
    "LoRA": {},
    "LoRA, batch 12": {"batch_size": 12},
    "LoRA, batch 12, passes of 512": {"batch_size": 12, "micro_batch_tokens": 512},
    "LoRA, batch 12, checkpointing": {"batch_size": 12, "gradient_checkpointing": True},
    "all weights": FULL,
    "all weights, passes of 256": FULL | {"micro_batch_tokens": 256},
    "all weights, checkpointing": FULL | {"gradient_checkpointing": True, "batch_size": 12},
    "LoRA, measured": {
        "eval_every": 3,
        "eval_examples": 8,
        "eval_samples": 8,
        "max_tokens": 16,
    },
}


@dataclass(frozen=True)
class Figures:
    """One run: what was quoted cold and corrected, and what it took. Bytes and seconds."""

    name: str
    cold_memory: int
    corrected_memory: int
    memory: int
    cold_seconds: float
    corrected_seconds: float
    seconds: float
    cold_step: float
    step: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: list[Figures] = []
    for name, launch in _launches(given.model, given.dataset):
        if given.only in name:
            with _daemon() as client:  # a home of its own, so that it has seen nothing
                found.append(_figures(client, name, launch))
                print(json.dumps(asdict(found[-1])), file=sys.stderr)
    if given.json:
        print(json.dumps([asdict(each) for each in found]))
    else:
        Console(width=160).print(_table(found))


def _launches(model: Path | None, dataset: Path | None) -> Iterator[tuple[str, Launch]]:
    for name, (recipe, overrides) in TINY.items():
        yield name, Launch(recipe=recipe, overrides=overrides)
    if model is None or dataset is None:
        return
    refs = {"model": f"file:{model.resolve()}", "dataset": f"file:{dataset.resolve()}"}
    for name, overrides in REAL.items():
        yield f"{model.name}: {name}", Launch(recipe="sl_basic", overrides=FEW | refs | overrides)


def _figures(client: Client, name: str, launch: Launch) -> Figures:
    run = _completed(client, client.launch(launch).id)
    took, again = _quote_of(run), client.quote(launch)
    return Figures(
        name=name,
        cold_memory=took.memory_bytes or 0,
        corrected_memory=again.memory_bytes or 0,
        memory=took.peak_memory_bytes or 0,
        cold_seconds=took.seconds or 0.0,
        corrected_seconds=again.seconds or 0.0,
        seconds=took.busy_seconds or 0.0,
        cold_step=took.seconds_a_step or 0.0,
        step=took.measured_seconds_a_step or 0.0,
    )


def _quote_of(run: RunInfo) -> QuoteInfo:
    if run.quote is None:
        raise RuntimeError(f"{run.id} has no quote")
    return run.quote


def _completed(client: Client, run_id: str) -> RunInfo:
    def ended() -> RunInfo | None:
        run = client.run(run_id)
        return run if run.status.is_at_rest else None

    run = _awaited(ended)
    if run.status != "completed":
        raise RuntimeError(f"{run_id} is {run.status}: {run.error}")
    return run


def _table(found: list[Figures]) -> Table:
    table = Table(
        "run",
        "memory MB",
        "cold",
        "corrected",
        "above the base",
        "a step s",
        "cold",
        "whole run s",
        "cold",
        "corrected",
    )
    for each in found:
        table.add_row(
            each.name,
            f"{each.memory / 1e6:.0f}",
            _error(each.cold_memory, each.memory),
            _error(each.corrected_memory, each.memory),
            _error(each.cold_memory - BASE, each.memory - BASE),
            f"{each.step:.3f}",
            _error(each.cold_step, each.step),
            f"{each.seconds:.1f}",
            _error(each.cold_seconds, each.seconds),
            _error(each.corrected_seconds, each.seconds),
        )
    errors = [abs(each.cold_memory / each.memory - 1) for each in found if each.memory]
    if errors:
        table.caption = (
            f"memory, cold: median error {median(errors):.1%}, largest {max(errors):.1%}"
        )
    return table


def _error(quoted: float, took: float) -> str:
    return f"{quoted / took - 1:+.1%}" if took else "–"


@contextmanager
def _daemon() -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        daemon = subprocess.Popen(
            [sys.executable, "-m", "kitchen_daemon.main", "--home", str(home.root)],
            stderr=subprocess.DEVNULL,
        )
        try:
            client = Client(home)
            _awaited(lambda: _is_ready(client))
            yield client
        finally:
            daemon.terminate()
            daemon.wait()


def _is_ready(client: Client) -> bool:
    try:
        return client.status().standby_ready
    except Unreachable:
        return False


def _awaited(look: Callable[[], Any]) -> Any:
    """What `look` gives, once it gives something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise TimeoutError("nothing came of it")


if __name__ == "__main__":
    main()
