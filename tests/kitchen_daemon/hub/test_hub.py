"""A run's model on its way to the hub, and models found there."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard, constants

from kitchen_core import builtin
from kitchen_core.store import Store
from kitchen_core.train.ports.errors import AuthError
from kitchen_daemon.client import Refused
from kitchen_daemon.hub.hub import Hub
from kitchen_daemon.models import Launch, RenderRequest, UploadRequest
from tests.doubles.hub import GOOD_TOKEN, HubDouble, Repo, serve
from tests.kitchen_daemon.support import QUICK

REQUEST = UploadRequest(repo="me/mine", manifest="publishing")


@pytest.fixture
def double(daemon, tmp_path):
    """A hub, and a manifest of the daemon's home that leads there."""
    with serve(HubDouble(repos={"org/popular": Repo(tmp_path, downloads=7)})) as double:
        manifests = daemon.home.root / "manifests"
        manifests.mkdir(exist_ok=True)
        (manifests / "publishing.toml").write_text(
            f'[ports.model_hub]\nadapter = "hugging_face"\nendpoint = "{double.endpoint}"\n'
            f'token_env = "PUBLISHING_TOKEN"\nfolder = "{tmp_path / "kept"}"\n'
        )
        yield double


@pytest.fixture
def hub(daemon, monkeypatch):
    """The daemon's work on its home, in this process, with a token."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the double stores as LFS does
    monkeypatch.setenv("PUBLISHING_TOKEN", GOOD_TOKEN)
    with Store.open(daemon.home.root) as store:
        yield Hub(daemon.home, store)


async def test_a_runs_final_model_is_taken_there_with_its_card(hub, daemon, double, undisturbed):
    run, sha256 = undisturbed
    with Store.open(daemon.home.root) as store:
        made = await hub.upload(store.find_run(run.id), REQUEST)
    assert (made.url, made.sha256) == (f"{double.endpoint}/me/mine", sha256)
    repo = double.repos["me/mine"]
    assert repo.private
    assert made.commit == repo.commit
    (final,) = (artifact for artifact in run.artifacts if artifact.name == "final")
    uploaded = {repo.name_of(path): path.read_bytes() for path in repo.files()}
    card = uploaded.pop("README.md").decode()
    assert sum(map(len, uploaded.values())) == final.size_bytes
    assert ModelCard(card).data.tags == ["crucible-kitchen", "sl_basic"]


def test_a_dry_run_shows_the_card_and_asks_nothing_of_the_hub(daemon, double, undisturbed):
    run, sha256 = undisturbed
    plan = daemon.client.plan_upload(run.id, REQUEST)
    assert (plan.run, plan.sha256) == (run.id, sha256)
    assert "| `max_steps` | `60` |" in plan.card
    assert "| `batch_size`" not in plan.card
    assert not double.requests
    assert str(daemon.home.root) not in plan.card


def test_without_a_token_the_daemon_says_which_one(daemon, double, undisturbed):
    run, _ = undisturbed
    with pytest.raises(Refused, match="no token is set") as refused:
        daemon.client.upload(run.id, REQUEST)
    assert "PUBLISHING_TOKEN in secrets.env" in refused.value.hint
    assert not double.requests


async def test_a_repository_of_somebody_else_is_refused(hub, daemon, double, undisturbed):
    run, _ = undisturbed
    request = REQUEST.model_copy(update={"repo": "org/mine"})
    with (
        Store.open(daemon.home.root) as store,
        pytest.raises(AuthError, match="may not write to org"),
    ):
        await hub.upload(store.find_run(run.id), request)
    assert not double.commits


def test_a_run_without_a_model_has_nothing_to_upload(daemon, double):
    held = daemon.client.launch(
        Launch(recipe="sl_basic", overrides=QUICK | {"dataset": "builtin:arithmetic"}, priority=-9)
    )
    daemon.client.cancel(held.id)
    with pytest.raises(Refused, match=f"run {held.id} has no final model"):
        daemon.client.upload(held.id, REQUEST)


def test_models_are_found_through_the_daemon(daemon, double):
    (found,) = daemon.client.hub_models("popular", manifest="publishing")
    assert (found.repo, found.downloads, found.gated) == ("org/popular", 7, False)
    assert not daemon.client.hub_models("nothing", manifest="publishing")


def test_rows_are_shown_without_the_weights_of_the_model(daemon, tmp_path):
    with serve(HubDouble(repos={"org/base": Repo(builtin.model_folder("tiny"))})) as double:
        manifests = daemon.home.root / "manifests"
        manifests.mkdir(exist_ok=True)
        (manifests / "reading.toml").write_text(
            '[ports.training_client]\nadapter = "memory"\n'
            f'[ports.model_hub]\nadapter = "hugging_face"\nendpoint = "{double.endpoint}"\n'
            f'folder = "{tmp_path / "kept"}"\n'
        )
        launch = Launch(
            recipe="sl_basic", manifest="reading", overrides={"model": "org/base", "lora_rank": 8}
        )
        shown = daemon.client.render(RenderRequest(launch=launch, rows=1))
    assert (shown.model, shown.num_rows) == ("org/base", 1)
    assert any("tokenizer.json" in asked for asked in double.requests)
    assert not any("safetensors" in asked for asked in double.requests)
