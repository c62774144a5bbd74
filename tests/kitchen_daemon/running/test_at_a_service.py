"""Whole runs at a training service that loses what it has, and that lets them wait."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kitchen_core import builtin
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import EventKind, RunStatus
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.models import Launch
from kitchen_daemon.running.execution import execute_run
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

MANIFEST = """
[ports.training_client]
adapter = "tinker"
base_url = "{url}"
base_model = "tiny"
"""
QUICK = {"max_steps": 4, "save_every": 2, "lora_rank": 4, "eval_every": 0, "log_samples": 0}
RECIPES = {
    "sl_basic": {"batch_size": 4},
    "math_rl": {
        "dataset": "builtin:arithmetic",
        "env": "arithmetic",
        "groups_per_batch": 2,
        "group_size": 4,
        "max_tokens": 4,
        "remove_constant_groups": False,
        "kl_penalty_coef": 0.1,
    },
}
Disturb = Callable[[], None]


@dataclass
class Kitchen:
    """A home whose runs train at a double of the service."""

    home: Home
    store: Store
    double: TinkerDouble

    def ran(self, recipe: str, disturb: Disturb = lambda: None) -> str:
        """A run that was disturbed and has completed all the same."""
        launch = Launch(recipe=recipe, manifest="double", overrides=QUICK | RECIPES[recipe])
        run = Submissions(self.home, self.store, Shelf(self.home)).submit(launch)
        log = str(self.home.daemon_log)
        attempt = self.store.begin_attempt(run.id, os.getpid(), 0.0, "boot", log)

        async def both() -> None:
            await asyncio.gather(
                execute_run(self.home, run.id, attempt), asyncio.to_thread(disturb)
            )

        before = signal.getsignal(signal.SIGTERM)
        try:
            asyncio.run(both())
        finally:
            signal.signal(signal.SIGTERM, before)
        run = self.store.get_run(run.id)
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        return run.id

    def learnt(self, run_id: str) -> dict[str, list[list[float | None]]]:
        """Every metric that says what was learnt, and not how fast."""
        series = self.store.series(run_id)
        return {name: series[name] for name in series if not name.startswith("time/")}

    def waits(self, run_id: str) -> list[str]:
        """What the run told of waiting."""
        events = self.store.read_events(run_id=run_id, kinds=[EventKind.PORT_WAITING])
        return [event.metadata["message"] for event in events]


class Noticed(logging.Handler):
    """Hears that a run takes a notice of its adapters which says this."""

    def __init__(self, says: str) -> None:
        super().__init__()
        self._says = says
        self.heard = threading.Event()
        self._logger = logging.getLogger("kitchen_daemon.running.noticing")

    def emit(self, record: logging.LogRecord) -> None:
        if self._says in record.getMessage():
            self.heard.set()

    def __enter__(self) -> None:
        self._logger.addHandler(self)

    def __exit__(self, *failure: object) -> None:
        self._logger.removeHandler(self)


@pytest.fixture
def kitchen(tmp_path: Path) -> Iterator[Kitchen]:
    home = Home(tmp_path / "kitchen")
    home.make()
    home.secrets.write_text(f"TINKER_API_KEY={KEY}\n")
    home.secrets.chmod(0o600)
    double = TinkerDouble(
        client=TorchLocal(), bases={"tiny": builtin.model_folder("tiny")}, folder=tmp_path / "kept"
    )
    with serve_tinker(double), Store.open(home.root) as store:
        (home.root / "manifests").mkdir(exist_ok=True)
        manifest = home.root / "manifests" / "double.toml"
        manifest.write_text(MANIFEST.format(url=double.base_url))
        yield Kitchen(home, store, double)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_whose_service_forgets_everything_learns_the_same(kitchen, recipe):
    double = kitchen.double
    expected = kitchen.learnt(kitchen.ran(recipe))
    double.faults.slow("/optim_step", times=2).open()
    third = double.faults.slow("/optim_step")

    def forget() -> None:
        assert third.reached.wait(60)
        double.forget()
        third.open()

    run_id = kitchen.ran(recipe, forget)
    assert any("lost the model" in told for told in kitchen.waits(run_id))
    assert "optim/grad_norm" in expected
    assert kitchen.learnt(run_id) == expected
    assert_not_written(KEY, kitchen.home)


def test_a_pause_of_the_service_is_told_while_the_run_waits(kitchen, monkeypatch):
    monkeypatch.setattr("kitchen_core.adapters.tinker.notices.PAUSE_TOLD_AFTER_S", 0.0)
    faults, noticed = kitchen.double.faults, Noticed("is paused")
    first = faults.slow("/optim_step")

    def pause() -> None:
        assert first.reached.wait(60)
        faults.pause(reason="all chips are busy")
        first.open()
        assert noticed.heard.wait(60)
        faults.resume()

    with noticed:
        run_id = kitchen.ran("sl_basic", pause)
    assert any("is paused. Reason: all chips are busy" in each for each in kitchen.waits(run_id))


def assert_not_written(key: str, home: Home) -> None:
    """But for where it was put."""
    files = [path for path in home.root.rglob("*") if path.is_file() and path != home.secrets]
    assert [path for path in files if key.encode() in path.read_bytes()] == []
