"""Who is let in, and what those are told who are not."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.datasets import HuggingFaceDatasets
from kitchen_core.adapters.hugging_face.snapshots import RECORD
from kitchen_core.train.ports.errors import AuthError, GatedError, NotFound, PortError, Unavailable
from tests.doubles.hub import GOOD_TOKEN, OTHER_TOKEN, HubDouble, Repo, serve
from tests.kitchen_core.adapters.hugging_face.conftest import COMMIT
from tests.rows import write_jsonl


async def test_without_a_token_a_gated_model_says_where_to_ask_and_what_to_set(connect, double):
    with pytest.raises(GatedError) as refused:
        await connect().fetch_model("org/gated")
    assert refused.value.message == "org/gated is gated, and no token is set"
    assert refused.value.hint == (
        f"Ask for access at {double.endpoint}/org/gated, "
        "and set MY_TOKEN in secrets.env or the environment."
    )


async def test_a_token_that_was_not_let_in_says_where_to_ask(connect, double):
    with pytest.raises(GatedError, match="the token's account has not been let in") as refused:
        await connect(OTHER_TOKEN).fetch_model("org/gated")
    assert f"{double.endpoint}/org/gated with the account of MY_TOKEN" in refused.value.hint


async def test_a_token_that_was_let_in_gets_the_model(connect):
    model = await connect(GOOD_TOKEN).fetch_model("org/gated")
    assert (model.folder / "config.json").is_file()


async def test_without_a_token_a_missing_model_may_be_private(connect):
    for name in ("org/missing", "org/private"):
        with pytest.raises(
            NotFound, match=f"there is no model {name}, or it is private"
        ) as refused:
            await connect().fetch_model(name)
        assert "MY_TOKEN" in refused.value.hint


async def test_a_private_model_comes_with_the_token_of_its_owner(connect):
    with pytest.raises(NotFound, match="the token may not see it"):
        await connect(OTHER_TOKEN).fetch_model("org/private")
    assert (await connect(GOOD_TOKEN).fetch_model("org/private")).commit == COMMIT


def interrupt(place: Path, missing: str) -> None:
    """Leave a snapshot as a download would that ended before a file of it had come."""
    (place / missing).unlink()
    (place / RECORD).unlink()
    place.rename(place.with_name(f"{place.name}.partial"))


@pytest.mark.parametrize("token", [None, OTHER_TOKEN])
@pytest.mark.parametrize("left", ["a whole snapshot", "part of one"])
async def test_what_an_earlier_download_left_is_given_to_nobody_else(connect, token, left):
    model = await connect(GOOD_TOKEN).fetch_model("org/gated")
    if left == "part of one":
        interrupt(model.folder, "model.safetensors")
    with pytest.raises(GatedError):
        await connect(token).fetch_model("org/gated")
    model = await connect(GOOD_TOKEN).fetch_model("org/gated")
    assert (model.folder / "model.safetensors").read_text() == "content of model.safetensors"


@pytest.mark.parametrize(("token", "says"), [(None, "no token is set"), (OTHER_TOKEN, "let in")])
@pytest.mark.parametrize("left", ["a whole snapshot", "part of one", "nothing"])
async def test_a_gated_dataset_names_its_own_page(tmp_path: Path, token, says, left):
    served = tmp_path / "served"
    write_jsonl(served / "train.jsonl", [{"text": "a"}])
    write_jsonl(served / "test.jsonl", [{"text": "b"}])

    def connect(token: str | None) -> HuggingFaceDatasets:
        return HuggingFaceDatasets(Access(hub.endpoint, token, "MY_TOKEN"), tmp_path / "kept")

    with serve(HubDouble(datasets={"org/data": Repo(served, gated=True)})) as hub:
        if left != "nothing":
            await connect(GOOD_TOKEN).fetch_dataset("org/data")
        if left == "part of one":
            interrupt(tmp_path / "kept" / "org" / "data" / COMMIT, "test.jsonl")
        with pytest.raises(GatedError, match=says) as refused:
            await connect(token).fetch_dataset("org/data")
        assert f"{hub.endpoint}/datasets/org/data" in refused.value.hint
        data = await connect(GOOD_TOKEN).fetch_dataset("org/data")
        assert {name: list(rows) for name, rows in data.splits.items()} == {
            "train": [{"text": "a"}],
            "test": [{"text": "b"}],
        }


async def test_a_bad_token_is_an_auth_error(connect):
    with pytest.raises(AuthError, match="refused the token") as refused:
        await connect("hf_bad").fetch_model("org/open")
    assert not isinstance(refused.value, GatedError)
    assert "MY_TOKEN" in refused.value.hint


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500])
async def test_a_token_that_the_hub_says_again_is_nowhere_in_the_error(connect, double, status):
    said = f"can't serve Authorization: Bearer {GOOD_TOKEN}"
    double.faults.append(JSONResponse({"error": said}, status, {"X-Error-Message": said}))
    with pytest.raises(PortError) as refused:
        await connect(GOOD_TOKEN).fetch_model("org/open")
    printed = "".join(traceback.format_exception(refused.value))
    assert GOOD_TOKEN not in printed + str(refused.value) + refused.value.hint
    assert GOOD_TOKEN not in repr(connect(GOOD_TOKEN)._access)


async def test_a_probe_names_the_account_or_says_that_there_is_none(connect):
    assert await connect(GOOD_TOKEN).probe() == "reachable as me"
    assert await connect().probe() == "reachable, without a token"
    with pytest.raises(AuthError, match="refused the token"):
        await connect("hf_bad").probe()


async def test_a_probe_of_a_hub_that_is_down_is_unavailable(connect, double):
    double.down = "/api"
    for token in (None, GOOD_TOKEN):
        with pytest.raises(Unavailable, match="503"):
            await connect(token).probe()


async def test_models_are_listed_by_use_with_what_is_known_of_them(connect, double):
    double.repos["org/open"].downloads = 1
    double.repos["org/gated"].downloads = 20
    found = await connect().list_models("org/")
    assert [(entry.repo, entry.gated, entry.downloads) for entry in found] == [
        ("org/gated", True, 20),
        ("org/open", False, 1),
    ]
    assert found[0].changed_at == 1795509000.0  # 2026-11-24T08:30:00Z
