"""How far quotes are from what runs take: the five recipes and variants of them, each run twice.

python -m benchmarks.quotes [--model ./SmolLM2-135M-Instruct --dataset ./chat.jsonl] [--only TEXT] [--json]

Cold: the first run of a home that has seen nothing. Corrected: the second, with another seed, whose quote the first
one corrected; each is held against what that very run took.
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
from dataclasses import dataclass
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
    """One launch, run twice: what was quoted, and what it took."""

    name: str
    cold: QuoteInfo
    corrected: QuoteInfo


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
                print(_as_json(found[-1]), file=sys.stderr)
    if given.json:
        print(f"[{', '.join(map(_as_json, found))}]")
    else:
        Console(width=160).print(_table(found))


def _as_json(figures: Figures) -> str:
    told = {"cold": figures.cold.model_dump(), "corrected": figures.corrected.model_dump()}
    return json.dumps({"name": figures.name} | told)


def _launches(model: Path | None, dataset: Path | None) -> Iterator[tuple[str, Launch]]:
    for name, (recipe, overrides) in TINY.items():
        yield name, Launch(recipe=recipe, overrides=overrides)
    if model is None or dataset is None:
        return
    refs = {"model": f"file:{model.resolve()}", "dataset": f"file:{dataset.resolve()}"}
    for name, overrides in REAL.items():
        yield f"{model.name}: {name}", Launch(recipe="sl_basic", overrides=FEW | refs | overrides)


def _figures(client: Client, name: str, launch: Launch) -> Figures:
    again = launch.model_copy(update={"overrides": launch.overrides | {"seed": 1}})
    first, second = (
        _quote_of(_completed(client, client.launch(each).id)) for each in (launch, again)
    )
    return Figures(name, first, second)


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
    headers = [
        "run",
        "memory MB",
        "cold",
        "above the base",
        "corrected",
        "a step s",
        "cold",
        "corrected",
    ]
    table = Table(*headers, "whole run s", "cold", "corrected")
    for each in found:
        cold, corrected = each.cold, each.corrected
        table.add_row(
            each.name,
            f"{(cold.peak_memory_bytes or 0) / 1e6:.0f}",
            _told(_memory_error(cold)),
            _told(_memory_error(cold, BASE)),
            _told(_memory_error(corrected)),
            f"{cold.measured_seconds_a_step or 0:.3f}",
            _told(_error(cold.seconds_a_step, cold.measured_seconds_a_step)),
            _told(_error(corrected.seconds_a_step, corrected.measured_seconds_a_step)),
            f"{cold.busy_seconds or 0:.1f}",
            _told(_error(cold.seconds, cold.busy_seconds)),
            _told(_error(corrected.seconds, corrected.busy_seconds)),
        )
    errors = [abs(error) for each in found if (error := _memory_error(each.cold)) is not None]
    if errors:
        table.caption = (
            f"memory, cold: median error {median(errors):.1%}, largest {max(errors):.1%}"
        )
    return table


def _memory_error(quote: QuoteInfo, base: int = 0) -> float | None:
    quoted, took = quote.memory_bytes, quote.peak_memory_bytes
    return None if quoted is None or took is None else _error(quoted - base, took - base)


def _error(quoted: float | None, took: float | None) -> float | None:
    return quoted / took - 1 if quoted is not None and took else None


def _told(error: float | None) -> str:
    return "–" if error is None else f"{error:+.1%}"


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
