"""The five recipes at a real Tinker server, by a manifest alone: the numbers of tinker-cookbook's own loops
there, and runs whose worker or server is killed. KITCHEN_TEST_TINKER=COMMAND make test-slow
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from kitchen_daemon.models import Launch, RunInfo
from tests.kitchen_core.parity.tinker_recording import BASE, RUNS, data_of, settings_of
from tests.kitchen_core.parity.tinker_server import TinkerServer
from tests.kitchen_daemon.support import (
    Daemon,
    final_sha256,
    happened,
    is_at_rest,
    reached_step,
    running_daemon,
)

pytestmark = pytest.mark.slow

MANIFEST = """\
[ports.training_client]
adapter = "tinker"
base_url = "{url}"
base_model = "{base_model}"
"""
SAME = 1e-4
AGAIN = 1e-6
"""How near two runs of the same requests must come."""


class Kitchen:
    """A daemon whose runs train at a server."""

    def __init__(self, daemon: Daemon, server: TinkerServer, data: Path) -> None:
        self.daemon, self.server = daemon, server
        self.data = data

    def launched(self, name: str, **overrides: object) -> RunInfo:
        """A run of a recipe as it was recorded, with these overrides on top."""
        dataset = self.data / f"{name}.jsonl"
        given = settings_of(name) | {
            "model": f"file:{self.server.base_model}",
            "dataset": f"file:{dataset if dataset.exists() else data_of(name, self.data)}",
        }
        launch = Launch(recipe=name, overrides=given | overrides, manifest="server")
        return self.daemon.client.launch(launch)

    def completed(self, run: RunInfo) -> RunInfo:
        """The run at its end, which must be a good one."""
        run = self.daemon.settled(run.id)
        assert (run.status, run.error) == ("completed", None)
        return run

    def series(self, run: RunInfo, name: str) -> list[float]:
        """A metric, step by step."""
        points = self.daemon.client.metrics(run.id, [name])[name]
        return [value for _, value in points if value is not None]

    def kill_worker(self) -> None:
        """SIGKILL to the one worker that has a run."""
        (pid,) = self.daemon.worker_pids()
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    command = os.environ.get("KITCHEN_TEST_TINKER")
    if not command:
        pytest.skip("KITCHEN_TEST_TINKER names no command that starts a Tinker server")
    folder = tmp_path_factory.mktemp("tinker")
    shutil.copytree(BASE, folder / "model")
    server = TinkerServer(command, folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def kitchen(server, tmp_path_factory):
    with running_daemon(tmp_path_factory.mktemp("kitchen")) as daemon:
        manifest = daemon.home.root / "manifests" / "server.toml"
        manifest.parent.mkdir(exist_ok=True)
        manifest.write_text(MANIFEST.format(url=server.url, base_model=server.base_model))
        daemon.home.secrets.write_text("TINKER_API_KEY=tml-local\n")
        daemon.home.secrets.chmod(0o600)
        yield Kitchen(daemon, server, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def sl_basic(kitchen):
    """The run that the others go on from, learn from and are held against."""
    return kitchen.completed(kitchen.launched("sl_basic"))


def final_of(run: RunInfo) -> Path:
    return Path(next(artifact.path for artifact in run.artifacts if artifact.name == "final"))


def check_steps(kitchen, run, name, metrics):
    """Every metric at every step, as recorded."""
    for ours, theirs in metrics.items():
        series = kitchen.series(run, ours)
        recorded = [step[theirs] for step in RUNS[name]["steps"]]
        assert series == pytest.approx(recorded, abs=SAME), ours


def test_sl_basic_gives_the_losses_of_the_cookbook(kitchen, sl_basic):
    check_steps(
        kitchen,
        sl_basic,
        "sl_basic",
        {"train_mean_nll": "train_mean_nll", "learning_rate": "learning_rate"},
    )


def test_chat_sl_gives_the_losses_of_the_cookbook(kitchen):
    run = kitchen.completed(kitchen.launched("chat_sl"))
    check_steps(kitchen, run, "chat_sl", {"train_mean_nll": "train_mean_nll"})


def test_dpo_gives_the_losses_margins_and_rewards_of_the_cookbook(kitchen):
    """Before the first step both sides of every pair are rewarded with rounding errors, and the accuracy
    counts those.
    """
    run = kitchen.completed(kitchen.launched("dpo"))
    names = ("dpo_loss", "margin", "chosen_reward", "rejected_reward", "learning_rate")
    check_steps(kitchen, run, "dpo", {name: name for name in names})
    recorded = [step["accuracy"] for step in RUNS["dpo"]["steps"]]
    assert kitchen.series(run, "accuracy")[1:] == pytest.approx(recorded[1:], abs=SAME)


def check_math_rl(kitchen, run):
    names = [name for name in RUNS["math_rl"]["steps"][0] if name.startswith("env/")]
    names += ["optim/entropy", "optim/kl_sample_train_v1", "optim/kl_sample_train_v2"]
    check_steps(kitchen, run, "math_rl", {name: name for name in names})


def test_math_rl_goes_on_from_a_run_with_the_rewards_of_the_cookbook(kitchen, sl_basic):
    run = kitchen.completed(kitchen.launched("math_rl", model=f"run:{sl_basic.id}"))
    check_math_rl(kitchen, run)
    assert edges_into(kitchen, run) >= {(f"artifact:{final_sha256(sl_basic)}", "model")}


def test_distillation_from_a_run_has_the_distances_of_the_cookbook(kitchen, sl_basic):
    """The cookbook adds up over tokens what is a mean here; AdamW sees that by its eps alone."""
    run = kitchen.completed(kitchen.launched("distillation", teacher=f"run:{sl_basic.id}"))
    names = ("teacher_kl", "teacher_kl/dataset_0", "optim/entropy", "optim/kl_sample_train_v1")
    check_steps(kitchen, run, "distillation", {name: name for name in names})
    assert edges_into(kitchen, run) >= {(f"artifact:{final_sha256(sl_basic)}", "teacher")}


def edges_into(kitchen, run):
    graph = kitchen.daemon.client.lineage(run.id)
    return {(edge.source, edge.role) for edge in graph.edges if edge.target == f"run:{run.id}"}


def test_the_final_model_says_where_the_service_keeps_it(kitchen, sl_basic):
    note = json.loads((final_of(sl_basic) / "remote_weights.json").read_text())
    assert note["kept_by"] == "tinker"
    assert note["base"] == kitchen.server.base_model
    assert note["training"].startswith("tinker://")
    assert note["sampler"].startswith("tinker://")
    assert {role for _, role in edges_into(kitchen, sl_basic)} == {"model", "dataset", "recipe"}


def test_chat_sl_goes_on_from_a_run_that_was_trained_there(kitchen, sl_basic):
    data = data_of("sl_basic", kitchen.data)
    run = kitchen.launched("chat_sl", model=f"run:{sl_basic.id}", dataset=f"file:{data}")
    run = kitchen.completed(run)
    first, last = RUNS["sl_basic"]["steps"][0], RUNS["sl_basic"]["steps"][-1]
    learnt = kitchen.series(run, "train_mean_nll")[0]
    assert learnt == pytest.approx(last["train_mean_nll"], abs=0.5)
    assert learnt < first["train_mean_nll"] - 3
    assert edges_into(kitchen, run) >= {(f"artifact:{final_sha256(sl_basic)}", "model")}


def test_a_killed_worker_goes_on_as_if_nothing_had_been(kitchen, sl_basic):
    run = kitchen.launched("sl_basic")
    kitchen.daemon.until(run.id, happened("checkpoint.saved"))
    cursor = kitchen.daemon.until(run.id, reached_step(9))[-1].cursor
    kitchen.kill_worker()
    cursor = kitchen.daemon.until(run.id, is_at_rest, cursor=cursor)[-1].cursor
    assert kitchen.daemon.client.run(run.id).status == "interrupted"
    kitchen.daemon.client.resume(run.id)
    kitchen.daemon.until(run.id, is_at_rest, cursor=cursor)
    check_same(kitchen, run, sl_basic, attempts=2)


def test_a_server_that_is_killed_and_started_again_costs_a_run_nothing_but_time(kitchen, sl_basic):
    run = kitchen.launched("sl_basic")
    kitchen.daemon.until(run.id, reached_step(10))
    kitchen.server.kill()
    kitchen.server.start()
    kitchen.daemon.settled(run.id)
    check_same(kitchen, run, sl_basic, attempts=1)
    assert was_made_again(kitchen, run)


def test_a_server_that_is_killed_between_rollouts_changes_none_of_them(kitchen, sl_basic):
    run = kitchen.launched("math_rl", model=f"run:{sl_basic.id}")
    kitchen.daemon.until(run.id, reached_step(0))
    kitchen.server.kill()
    kitchen.server.start()
    check_math_rl(kitchen, kitchen.completed(run))
    assert was_made_again(kitchen, run)


def was_made_again(kitchen, run):
    """Whether the run told that the server had lost its model."""
    told = [e for e in kitchen.daemon.client.events(run.id) if e.kind == "port.waiting"]
    return any("has lost the model" in str(event.metadata) for event in told)


def check_same(kitchen, run, undisturbed, attempts):
    """A run that ended as the one that was left alone did."""
    run = kitchen.daemon.client.run(run.id)
    assert (run.status, run.error, run.attempt) == ("completed", None, attempts)
    for name in ("train_mean_nll", "learning_rate"):
        expected = kitchen.series(undisturbed, name)
        assert kitchen.series(run, name) == pytest.approx(expected, abs=AGAIN), name
