"""What a service keeps, asked for by the daemon: with its keys, in a process of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import numpy as np
import pytest

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.adapters.memory import files
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tinker.state import SavedState
from kitchen_core.home import Home
from kitchen_core.store import NewRun, Store
from kitchen_core.train.ports.errors import AuthError, Timeout, Unsupported
from kitchen_core.train.remote_weights import RemoteWeights
from kitchen_daemon.apart import Apart
from kitchen_daemon.checkpoints.asking import CheckpointTask, KeptCheckpoints
from kitchen_daemon.checkpoints.process import answer
from kitchen_daemon.models import CheckpointChange, Problem
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

BASE = "org/tiny"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    (home.root / "manifests").mkdir()
    put_key(home, KEY)
    return home


def put_key(home: Home, key: str) -> None:
    home.secrets.write_text(f"TINKER_API_KEY={key}\n")
    home.secrets.chmod(0o600)


@pytest.fixture
def store(home):
    with Store.open(home.root) as store:
        yield store


@pytest.fixture
def double(home, tmp_path):
    files.write_model(tmp_path / "base", np.zeros((VOCAB_SIZE, VOCAB_SIZE)))
    bases = {BASE: tmp_path / "base"}
    with serve_tinker(TinkerDouble(client=MemoryTraining(), bases=bases, folder=tmp_path)) as it:
        manifest = f'[ports.checkpoints]\nadapter = "tinker"\nbase_url = "{it.base_url}"\n'
        (home.root / "manifests" / "mine.toml").write_text(manifest)
        yield it


async def save(double, name: str) -> tuple[str, str]:
    """Both paths of a state that is kept at the service."""
    service = Service(KEY, base_url=double.base_url, project=None, timeout_s=30)
    model = await service.make("start", lambda c: c.create_lora_training_client(BASE, 4))
    training = await service.result("save", model.save_state(name, ttl_seconds=86400))
    double.advance(timedelta(seconds=1))
    sampler = await service.result("save", model.save_weights_for_sampler(name))
    await service.close()
    return training.path, sampler.path


def test_each_is_listed_with_the_run_that_made_it(home, store, double, tmp_path):
    ours, final = asyncio.run(save(double, "ours"))
    theirs, _ = asyncio.run(save(double, "theirs"))
    run = store.create_run(NewRun(name="n", recipe="r", workflow="w"))
    SavedState(ours, 2, BASE, 4).write(tmp_path / "tree" / "session")
    store.put_tree(tmp_path / "tree", "checkpoints/2", run_id=run.id)
    (tmp_path / "final").mkdir()
    RemoteWeights("tinker", BASE, "elsewhere", final).write(tmp_path / "final")
    store.put_tree(tmp_path / "final", "final", run_id=run.id)

    made_by = {
        each.path: each.run for each in KeptCheckpoints(home, store, Apart(home)).listed("mine")
    }
    assert len(made_by) == 4
    assert (made_by[ours], made_by[final], made_by[theirs]) == (run.id, run.id, None)


def changed(home: Home, path: str, action: str, after_s: float | None = None) -> Problem | None:
    """What the process answers, asked in this one."""
    change = CheckpointChange(manifest="mine", path=path, action=action, after_s=after_s)  # type: ignore[arg-type]
    wiring = resolve_manifest("mine", {}, home.root).model_dump(mode="json")
    return answer(
        CheckpointTask(home=str(home.root), seconds=9, wiring=wiring, change=change)
    ).problem


def test_what_is_asked_for_is_done_at_the_service(home, double):
    training, sampler = asyncio.run(save(double, "ours"))

    def kept() -> dict[str, tuple[float | None, bool]]:
        return {
            each.path: (
                each.expires_at and (each.expires_at - each.time).total_seconds(),
                each.public,
            )
            for each in double.checkpoints()
        }

    assert kept() == {training: (86400, False), sampler: (None, False)}
    assert changed(home, sampler, "expire", 7200) is None
    assert changed(home, training, "expire", None) is None
    assert changed(home, sampler, "publish") is None
    assert kept() == {training: (None, False), sampler: (7200, True)}
    assert changed(home, sampler, "unpublish") is None
    assert changed(home, training, "delete") is None
    assert kept() == {sampler: (7200, False)}


def test_why_it_is_not_done_comes_back_with_what_to_do(home, double):
    problem = changed(home, "tinker://run/weights/gone", "delete")
    assert problem is not None
    assert problem.message == "there is no checkpoint tinker://run/weights/gone"
    assert problem.hint == "See which there are: kitchen checkpoints"


def test_a_manifest_without_such_a_service_says_which_has_one(home, store):
    with pytest.raises(Unsupported) as refused:
        KeptCheckpoints(home, store, Apart(home)).listed("dev")
    assert refused.value.message == (
        "the manifest dev has no service that keeps checkpoints; use --manifest prod"
    )


def test_a_manifest_that_is_not_there_is_named(home, store):
    with pytest.raises(ManifestError, match="no manifest 'prd'; did you mean 'prod'"):
        KeptCheckpoints(home, store, Apart(home)).listed("prd")


def test_a_missing_key_is_named_before_anybody_is_asked(home, store):
    put_key(home, "")
    with pytest.raises(AuthError, match="TINKER_API_KEY"):
        KeptCheckpoints(home, store, Apart(home)).listed("prod")


def test_a_service_that_does_not_answer_is_not_waited_for(home, store, double):
    with pytest.raises(Timeout, match=r"no answer within 0\.01 s") as refused:
        KeptCheckpoints(home, store, Apart(home), seconds=0.01).listed("mine")
    assert str(home.daemon_log) in refused.value.hint
