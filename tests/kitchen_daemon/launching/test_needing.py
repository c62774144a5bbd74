"""What a run needs of the outside is looked at before it is queued, without asking the outside."""

from __future__ import annotations

import pytest

from kitchen_core.adapters import finding
from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_core.train.ports.errors import AuthError, Unsupported
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.models import Launch
from kitchen_daemon.running.resuming import check_resumable
from kitchen_daemon.secrets import read_secrets
from tests.kitchen_core.store.support import bring_to

RECIPES = ("sl_basic", "chat_sl", "dpo", "math_rl", "distillation")


@pytest.fixture
def kitchen(tmp_path):
    """Submissions of a home whose only key is an empty one, whatever the environment has."""
    home = Home(tmp_path)
    home.make()
    put_keys(home, TINKER_API_KEY="", OPENAI_API_KEY="")
    with Store.open(home.root) as store:
        yield Submissions(home, store, Shelf(home)), home


def put_keys(home: Home, **keys: str) -> None:
    home.secrets.write_text("".join(f"{name}={value}\n" for name, value in keys.items()))
    home.secrets.chmod(0o600)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_goes_to_the_service_by_its_manifest_alone(kitchen, recipe):
    submissions, home = kitchen
    with pytest.raises(AuthError, match="tinker needs TINKER_API_KEY") as refused:
        submissions.plan(Launch(recipe=recipe, manifest="prod"))
    assert "secrets.env" in refused.value.hint
    put_keys(home, TINKER_API_KEY="tml-planted", OPENAI_API_KEY="")
    plan = submissions.plan(Launch(recipe=recipe, manifest="prod"))
    assert plan.adapters["training_client"] == "tinker"
    # the service trains adapters only, however small the folder that names the model
    assert (plan.config["lora_rank"], plan.config["device"]) == (32, "cpu")
    assert "tml-planted" not in plan.model_dump_json()


def test_all_weights_are_not_asked_of_a_service_that_trains_adapters(kitchen):
    submissions, home = kitchen
    put_keys(home, TINKER_API_KEY="tml-planted")
    launch = Launch(recipe="sl_basic", manifest="prod", overrides={"lora_rank": "0"})
    with pytest.raises(ConfigError) as refused:
        submissions.plan(launch)
    assert str(refused.value) == (
        "lora_rank=0 trains all weights, and tinker trains adapters only; set lora_rank, or leave it out"
    )


def test_a_gpu_that_is_not_here_does_not_keep_a_run_from_a_service(kitchen):
    submissions, home = kitchen
    put_keys(home, TINKER_API_KEY="tml-planted")
    launch = Launch(recipe="sl_basic", manifest="prod", overrides={"device": "cuda"})
    assert submissions.plan(launch).config["device"] == "cpu"


def test_a_missing_extra_is_refused_with_what_brings_it(kitchen, monkeypatch):
    submissions, _ = kitchen
    monkeypatch.setattr(finding, "find_spec", lambda name: None)
    with pytest.raises(Unsupported) as refused:
        submissions.plan(Launch(recipe="sl_basic", adapters={"training_client": "tinker"}))
    assert refused.value.hint == "Install it: pip install 'crucible-kitchen[tinker]'"


def test_what_a_run_does_not_use_may_be_missing(kitchen):
    submissions, home = kitchen
    manifests = home.root / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / "lab.toml").write_text('[ports.checkpoints]\nadapter = "tinker"\n')
    plan = submissions.plan(Launch(recipe="math_rl", manifest="lab"))
    assert plan.adapters["checkpoints"] == "tinker"


def test_options_of_the_run_are_frozen_with_it(kitchen):
    submissions, _ = kitchen
    given = {"python_bridge.timeout_s": "7", "llm.base_url": "http://127.0.0.1:9/v1"}
    launch = Launch(recipe="math_rl", adapters=given)
    assert submissions.plan(launch).adapters["python_bridge.timeout_s"] == 7.0
    run = submissions.submit(launch)
    assert run.adapters == given
    assert run.wiring["ports"]["python_bridge"] == {"adapter": "python_bridge", "timeout_s": 7.0}
    again = submissions.retry(run)
    assert (again.adapters, again.wiring) == (given, run.wiring)


def test_neither_a_retry_nor_a_resume_waits_for_a_worker_to_miss_a_key(kitchen):
    submissions, home = kitchen
    put_keys(home, TINKER_API_KEY="tml-planted")
    run = submissions.submit(Launch(recipe="sl_basic", manifest="prod"))
    with Store.open(home.root) as store:
        bring_to(store, run.id, RunStatus.INTERRUPTED)
        stopped = store.get_run(run.id)
        assert check_resumable(store, stopped, read_secrets(home)).endswith("begins at step 0")
        put_keys(home, TINKER_API_KEY="")
        with pytest.raises(AuthError, match="tinker needs TINKER_API_KEY"):
            submissions.retry(run)
        with pytest.raises(AuthError, match="tinker needs TINKER_API_KEY"):
            check_resumable(store, stopped, read_secrets(home))


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"lora_alpha": "16"}, "lora_alpha is 16"), ({"kl": "exact"}, "no exact divergence")],
)
def test_what_the_service_can_not_train_by_is_refused_before_the_run_is_queued(
    kitchen, setting, message
):
    submissions, home = kitchen
    put_keys(home, TINKER_API_KEY="tml-planted")
    with pytest.raises(Unsupported, match=message) as refused:
        submissions.plan(Launch(recipe="distillation", manifest="prod", overrides=setting))
    assert next(iter(setting)) in refused.value.hint
