"""Taking models to the hub, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.models import HuggingFaceModels
from kitchen_core.train.ports.errors import AuthError, InvalidRequest, Unavailable
from tests.doubles.hub import GOOD_TOKEN, READ_TOKEN, HubDouble, serve

CARD = "---\nlibrary_name: peft\n---\n# Mine\n"
Connect = Callable[..., HuggingFaceModels]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder with what belongs on the hub and what does not."""
    folder = tmp_path / "final"
    (folder / ".cache").mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"w" * 5000)
    (folder / "empty.txt").touch()
    for name in ("training_args.bin", "state.pt", "x.pkl", ".env", ".cache/notes", "README.md"):
        (folder / name).write_text("not for the hub")
    return folder


@pytest.fixture
def double() -> Iterator[HubDouble]:
    with serve(HubDouble()) as hub:
        yield hub


@pytest.fixture
def connect(double: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the double stores as LFS does

    def connect_with(token: str | None = GOOD_TOKEN) -> HuggingFaceModels:
        return HuggingFaceModels(Access(double.endpoint, token, "MY_TOKEN"), tmp_path / "kept")

    return connect_with


async def test_a_model_goes_in_one_commit_with_its_card_and_without_pickles(connect, double, model):
    uploaded = await connect().upload_model(model, "me/mine", CARD)
    assert uploaded.url == f"{double.endpoint}/me/mine"
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "empty.txt"]
    assert double.commits == [names]
    repo = double.repos["me/mine"]
    assert uploaded.commit == repo.commit
    assert (repo.folder / "README.md").read_text() == CARD
    assert (repo.folder / "adapter_model.safetensors").read_bytes() == b"w" * 5000


async def test_a_repository_is_private_unless_asked_and_stays_what_it_is(connect, double, model):
    await connect().upload_model(model, "me/mine", CARD)
    assert double.repos["me/mine"].private
    await connect().upload_model(model, "me/open", CARD, private=False)
    await connect().upload_model(model, "me/open", CARD + "more", private=True)
    assert not double.repos["me/open"].private


async def test_without_a_token_nothing_is_asked_of_the_hub(connect, double, model):
    with pytest.raises(AuthError, match="no token is set") as refused:
        await connect(None).upload_model(model, "me/mine", CARD)
    assert f"{double.endpoint}/settings/tokens" in refused.value.hint
    assert "MY_TOKEN" in refused.value.hint
    assert not double.requests


@pytest.mark.parametrize(("token", "repo"), [(READ_TOKEN, "me/mine"), (GOOD_TOKEN, "org/mine")])
async def test_a_token_that_may_not_write_is_an_auth_error(connect, double, model, token, repo):
    owner = repo.partition("/")[0]
    with pytest.raises(AuthError, match=f"the token may not write to {owner}") as refused:
        await connect(token).upload_model(model, repo, CARD)
    assert "MY_TOKEN" in refused.value.hint
    assert not double.repos
    assert not double.commits


async def test_a_token_that_may_only_read_an_existing_repository_changes_nothing(
    connect, double, model
):
    await connect().upload_model(model, "me/mine", CARD, private=False)
    before = double.repos["me/mine"].commit
    with pytest.raises(AuthError, match="may not write to me"):
        await connect(READ_TOKEN).upload_model(model, "me/mine", CARD + "more")
    assert double.repos["me/mine"].commit == before


async def test_a_bad_token_is_an_auth_error(connect, model):
    with pytest.raises(AuthError, match="refused the token"):
        await connect("hf_bad").upload_model(model, "me/mine", CARD)


@pytest.mark.parametrize("where", ["/preupload/", "/objects/batch", "/commit/"])
async def test_what_fails_before_the_commit_changes_no_file(connect, double, model, where):
    double.down = where
    with pytest.raises(Unavailable, match="503"):
        await connect().upload_model(model, "me/mine", CARD)
    assert not double.commits
    assert not double.repos["me/mine"].files()
    double.down = "never"
    await connect().upload_model(model, "me/mine", CARD)
    assert len(double.commits) == 1


async def test_a_card_that_the_hub_does_not_take_is_refused_in_one_line(connect, double, model):
    with pytest.raises(InvalidRequest, match='"license" must be a string') as refused:
        await connect().upload_model(model, "me/mine", "---\nlicense: [1]\n---\n")
    assert "\n" not in str(refused.value)
    assert not double.commits


async def test_a_name_without_an_owner_is_refused(connect, model):
    with pytest.raises(InvalidRequest, match="ORG/NAME"):
        await connect().upload_model(model, "mine", CARD)


async def test_a_folder_that_is_not_there_is_refused(connect, tmp_path):
    with pytest.raises(InvalidRequest, match="no files"):
        await connect().upload_model(tmp_path / "nowhere", "me/mine", CARD)
